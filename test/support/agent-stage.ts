/**
 * A real coordinator, a real launcher and real agent processes for tests, all on this machine, with a base of its own programs.
 * Never needs a registry; the builder is a fake that hands out that base. Everything ends with the test.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { CoordinatorConfig } from '../../coordinator/config.ts';
import type { KeyRing } from '../../coordinator/tenants/keys.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { AgentProcess, isReady } from './agent-process.ts';
import { storeBase } from './base-builds.ts';
import { startCoordinator } from './coordinator-fixture.ts';
import type { LogLine } from './logged-process.ts';
import { RealLauncher } from './real-launcher.ts';

/**
 * The stage; `startAgent` starts one agent on it, again and again with the same state. `storeBytes`: how large the launcher's store is; `changes`
 * and `keys`: the coordinator's settings and tenants.
 */
export async function setStage(
  test: Pick<TestContext, 'after'>,
  storeBytes: number | null = null,
  changes: Partial<CoordinatorConfig> = {},
  keys: KeyRing | null = null,
) {
  const coordinator = await startCoordinator(test, changes, keys);
  coordinator.services.script = await storeBase(coordinator.store);
  const launcher = await RealLauncher.start('agent', storeBytes);
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
  const startAgent = async (changes = {}, isUp: (line: LogLine) => boolean = isReady): Promise<AgentProcess> => {
    const agent = new AgentProcess({ ...variables, ...changes });
    agents.push(agent);
    await agent.logged(isUp);
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
