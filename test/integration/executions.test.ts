/**
 * Owns executions over real HTTP and a real WebSocket: from a request to a result, and everything that may come between.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { makeReport, makeResult } from '../support/lease-results.ts';
import type { AgentScript } from '../support/scripted-agent.ts';

const request = { environment: { base: 'debian-13' }, run: { script: 'echo hello' } };

/** An agent that completes every offer at once. */
const willing: AgentScript = {
  offered: ({ lease, fence }, agent) => agent.say({ type: 'lease.completed', lease, fence, result: makeResult() }),
};

test('a waited execution builds its environment, runs on an agent and answers with the report', async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await coordinator.join(willing);
  const answer = await coordinator.ask('POST', '/v1/executions?wait=true', { ...request, metadata: { a: [1] } });
  assert.equal(answer.status, 200);
  const execution = await answer.json();
  assert.equal(execution.stage, 'finished');
  assert.equal(execution.verdict, 'ok');
  assert.deepEqual(execution.run, makeReport());
  assert.deepEqual(execution.metadata, { a: [1] });
  assert.equal(execution.attempts, 1);
  assert.equal(coordinator.services.orders.length, 1);
  const offer = await agent.heard('lease.offer');
  assert.equal(offer.order.run.script, 'echo hello');
  assert.equal(offer.order.layers[0]?.origin, 'built');
  await agent.heard('lease.acknowledged');
  const again = await (await coordinator.ask('POST', '/v1/executions?wait=5', request)).json();
  assert.equal(again.environment.id, execution.environment.id);
  assert.equal(coordinator.services.orders.length, 1, 'the environment was there already');
});
