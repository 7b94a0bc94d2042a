/**
 * Owns the proof that an agent process that is cut off from its coordinator finishes what it holds, keeps the result over its own restart and tells
 * it when it is back; and that its owner can have it end its work instead. Needs root, no registry.
 */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Execution } from '../../shared/model/execution.ts';
import { setStage } from '../support/agent-stage.ts';
import { CuttableRelay } from '../support/cuttable-relay.ts';

const environment = { base: 'debian-13' };

async function setCuttableStage(context: TestContext, reconnectGraceMs: number) {
  // A silent agent is noticed (three reports) well before its leases are over.
  const times = { leaseTtlMs: 1500, reportIntervalMs: 200, reconnectGraceMs };
  const stage = await setStage(context, null, times);
  const relay = await CuttableRelay.open(Number(new URL(stage.coordinator.url).port));
  context.after(() => relay.close());
  const through = { COORDINATOR_URL: `ws://127.0.0.1:${relay.port}/agents`, HEARTBEAT_MS: '200', REDIAL_MAX_MS: '200' };
  const get = async (id: string): Promise<Execution> =>
    (await stage.coordinator.ask('GET', `/v1/executions/${id}`)).json();
  const finished = async (id: string): Promise<Execution> => {
    for (;;) {
      const execution = await get(id);
      if (execution.finishedAt !== null) return execution;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const submit = async (script: string): Promise<string> => {
    const answer = await stage.coordinator.ask('POST', '/v1/executions', { environment, run: { script } });
    assert.equal(answer.status, 202);
    return (await answer.json()).id;
  };
  return { ...stage, relay, through, get, finished, submit, results: join(stage.folder, 'state', 'results') };
}

test('what an agent holds when it is cut off is finished, kept over its restart, and told when it is back', {
  timeout: 60_000,
}, async (context) => {
  const { relay, through, startAgent, submit, finished, get, results, variables } = await setCuttableStage(
    context,
    60_000,
  );
  const agent = await startAgent(through);
  const id = await submit('sleep 3; echo held');
  await agent.logged(({ msg, executionId }) => msg === 'lease running' && executionId === id);
  relay.cut();
  await agent.logged(({ msg }) => msg === 'coordinator lost');
  const { verdict } = await agent.logged(({ msg, executionId }) => msg === 'lease completed' && executionId === id);
  assert.equal(verdict, 'ok', 'nearly as long as a lease is good has passed');
  while (!(await readdir(results)).some((name) => name.endsWith('.json')))
    await new Promise((resolve) => setTimeout(resolve, 10));
  await agent.end('SIGKILL');
  assert.equal((await get(id)).finishedAt, null);
  relay.mend();
  const again = await startAgent({ ...through, COORDINATOR_URL: variables.COORDINATOR_URL });
  const execution = await finished(id);
  assert.deepEqual([execution.verdict, execution.run?.stdout, execution.attempts], ['ok', 'held\n', 1]);
  assert.equal(
    again.log.some(({ msg }) => msg === 'lease running'),
    false,
    'it did not run again',
  );
  while ((await readdir(results)).length > 0) await new Promise((resolve) => setTimeout(resolve, 10));
});

test('a result whose lease is not the execution’s any more has no effect: it ran again, and the later lease counts', {
  timeout: 60_000,
}, async (context) => {
  const { relay, through, startAgent, submit, finished, results, variables } = await setCuttableStage(context, 0);
  const agent = await startAgent(through);
  const id = await submit('sleep 2; echo held');
  await agent.logged(({ msg, executionId }) => msg === 'lease running' && executionId === id);
  relay.cut();
  await agent.logged(({ msg, executionId }) => msg === 'lease completed' && executionId === id);
  await agent.end('SIGKILL');
  relay.mend();
  const again = await startAgent({ ...through, COORDINATOR_URL: variables.COORDINATOR_URL });
  const execution = await finished(id);
  assert.equal(execution.verdict, 'ok');
  assert.ok(execution.attempts > 1, `${execution.attempts} attempts`);
  await again.logged(({ msg, executionId }) => msg === 'lease running' && executionId === id);
  while ((await readdir(results)).length > 0) await new Promise((resolve) => setTimeout(resolve, 10));
});

test('an agent whose owner wants that ends what it runs before its lease is over', {
  timeout: 60_000,
}, async (context) => {
  const { relay, through, startAgent, submit } = await setCuttableStage(context, 60_000);
  const agent = await startAgent({ ...through, WHEN_CUT_OFF: 'end' });
  const id = await submit('sleep 20');
  await agent.logged(({ msg, executionId }) => msg === 'lease running' && executionId === id);
  relay.cut();
  await agent.logged(({ msg, executionId }) => msg === 'lease ended without result' && executionId === id);
});
