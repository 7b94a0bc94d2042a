/**
 * Owns the proof that a real agent process, a real launcher and a real coordinator run an execution together: enrolment, layers fetched,
 * compile and run, a killed agent, a killed launcher. Needs root, no registry: the base is made of this machine's own programs.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { AgentProcess } from '../support/agent-process.ts';
import { setStage } from '../support/agent-stage.ts';
import { compileC } from '../support/real-launcher.ts';

const MiB = 1024 * 1024;

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
