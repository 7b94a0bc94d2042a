/**
 * Owns the proof that a real agent process, a real launcher and a real coordinator run an execution together: enrolment, layers fetched,
 * compile and run, a killed agent, a killed launcher. Needs root, no registry: the base is made of this machine's own programs.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { digestOf } from '../../shared/digest.ts';
import { blobKey } from '../../shared/layers/layer-manifest.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { describeBytes } from '../../shared/storage/object-store.ts';
import { AgentProcess } from '../support/agent-process.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { makeReport } from '../support/lease-results.ts';
import { compileC, RealLauncher, tarOfBase } from '../support/real-launcher.ts';

const MiB = 1024 * 1024;

async function setStage(test: TestContext) {
  const coordinator = await startCoordinator(test);
  const tar = tarOfBase();
  const blob = zstdCompressSync(tar);
  await coordinator.store.put(blobKey(digestOf(blob)), blob, describeBytes(blob));
  coordinator.services.script = ({ buildId }) => {
    const facts = { digest: digestOf(tar), bytes: tar.length, entries: 1, rules: 1 };
    const layer = {
      buildId,
      blob: { digest: digestOf(blob), bytes: blob.length },
      tar: facts,
      variables: { BASE: 'ours' },
    };
    const end = { verify: null, materials: [], isNetworkUnreachable: false, isPrivate: false };
    return [{ type: 'finished', endedIn: null, report: makeReport(), layer, ...end }];
  };
  const launcher = await RealLauncher.start('agent');
  const folder = await mkdtemp(join(tmpdir(), 'envicutor-agent-process-'));
  const { token } = await coordinator.coordinator.enrolment.issue();
  await writeFile(join(folder, 'token'), token);
  const variables = {
    COORDINATOR_URL: `${coordinator.url.replace('http', 'ws')}/agents`,
    STATE_DIRECTORY: join(folder, 'state'),
    LAUNCHER_SOCKET_PATH: launcher.socketPath,
    ENROLMENT_TOKEN_FILE: join(folder, 'token'),
    DISK_FREE_BYTES_MIN: '1',
    SLOTS: '2',
  };
  const agents: AgentProcess[] = [];
  const startAgent = async (changes = {}): Promise<AgentProcess> => {
    const agent = new AgentProcess({ ...variables, ...changes });
    agents.push(agent);
    await agent.logged(({ msg, to }) => msg === 'connection moved' && to === 'ready');
    return agent;
  };
  test.after(async () => {
    for (const agent of agents) await agent.end('SIGKILL');
    await launcher.stop();
    await rm(folder, { recursive: true });
  });
  const execute = async (request: object): Promise<Execution> => {
    const environment = { base: 'debian-13' };
    const answer = await coordinator.ask('POST', '/v1/executions?wait=20', { environment, ...request });
    const body = (await answer.json()) as Execution;
    assert.equal(answer.status, 200, JSON.stringify(body));
    return body;
  };
  return { coordinator, launcher, startAgent, execute, variables, folder };
}

test('an execution goes from HTTP through the agent into a sandbox and back; a restarted agent has its layers', async (context) => {
  const { coordinator, startAgent, execute } = await setStage(context);
  const agent = await startAgent();
  const first = await execute({
    files: [{ path: 'main.txt', content: 'source' }],
    compile: { script: 'cat main.txt > made; echo "$FLAG"', variables: { FLAG: 'on' } },
    run: { script: 'cat made; echo " $BASE $1"; cat', arguments: ['an argument'], stdin: 'input' },
  });
  assert.deepEqual([first.stage, first.verdict, first.endedIn], ['finished', 'ok', 'run'], JSON.stringify(first));
  assert.deepEqual([first.compile?.stdout, first.run?.stdout], ['on\n', 'source ours an argument\ninput']);
  assert.equal(first.environment?.layers[0]?.origin, 'built');
  const crash = compileC('int main() { *(volatile int *)0 = 1; }').toString('base64');
  const files = [{ path: 'main', content: crash, encoding: 'base64', executable: true }];
  const signaled = await execute({ files, run: { script: './main' } });
  assert.deepEqual([signaled.verdict, signaled.run?.signal], ['signaled', 'SIGSEGV']);
  assert.equal(signaled.environment?.layers[0]?.origin, 'local');
  const failed = await execute({ compile: { script: 'exit 4' }, run: { script: 'true' } });
  assert.deepEqual([failed.verdict, failed.endedIn, failed.run], ['nonzero-exit', 'compile', null]);

  await agent.end('SIGKILL');
  const again = await startAgent();
  const second = await execute({ run: { script: 'echo again' } });
  assert.deepEqual([second.verdict, second.environment?.layers[0]?.origin], ['ok', 'local']);
  assert.equal(second.agent?.id, first.agent?.id);
  assert.equal(coordinator.services.orders.length, 1);
  context.diagnostic(`agent resident: ${(again.residentBytes / MiB).toFixed(0)} MiB`);
  assert.ok(again.residentBytes < 100 * MiB, `${again.residentBytes} bytes`);
  assert.equal(await again.end('SIGTERM'), 0);
});

test('an execution whose launcher dies is not lost, and the agent works with the next launcher', async (context) => {
  const { launcher, startAgent, execute } = await setStage(context);
  const agent = await startAgent({ LAUNCHER_WAIT_MS: '5000' });
  const first = await execute({ run: { script: 'true' } });
  const running = execute({ run: { script: 'sleep 1; echo done' } });
  await agent.logged(({ msg, executionId }) => msg === 'lease running' && executionId !== first.id);
  await launcher.restart();
  const result = await running;
  assert.deepEqual([result.verdict, result.run?.stdout], ['ok', 'done\n'], JSON.stringify(result));
});

test('an agent that can not work says why and what helps, and ends with 78', async (context) => {
  const { variables, folder } = await setStage(context);
  await writeFile(join(folder, 'file'), '');
  const state = join(folder, 'file', 'state');
  const socket = join(folder, 'none.sock');
  const changes = { STATE_DIRECTORY: state, LAUNCHER_SOCKET_PATH: socket, LAUNCHER_WAIT_MS: '100' };
  const agent = new AgentProcess({ ...variables, ...changes });
  assert.equal(await agent.exited(), 78);
  assert.match(agent.stderr, /state directory .* \(ENOTDIR\); make it writable/);
  assert.match(agent.stderr, /launcher at .*none\.sock can't be used: .*ENOENT.*; see that it runs/);
});
