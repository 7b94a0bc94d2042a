/**
 * Owns agents of the release before: whatever a coordinator of this one says to them, they understand, and they get work done.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentMessage } from '../../shared/protocol/agent-messages.ts';
import { additions, PROTOCOL_VERSION } from '../../shared/protocol/version.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { makeResult } from '../support/lease-results.ts';
import { readOlderProtocol } from '../support/older-protocol.ts';
import { ScriptedAgent } from '../support/scripted-agent.ts';

const request = {
  environment: { base: 'debian-13', setup: 'true', variables: { A: 'b' } },
  files: [{ path: 'a', content: 'b' }],
  compile: { script: 'true' },
  run: { script: 'true', arguments: ['x'], stdin: 'y' },
};

/** A scripted agent that also remembers what it said. */
class RememberingAgent extends ScriptedAgent {
  // Before the constructor of the agent has run it has said nothing.
  declare spoken: AgentMessage[];

  override say(message: AgentMessage): void {
    this.spoken ??= [];
    this.spoken.push(message);
    super.say(message);
  }
}

test('an agent of the release before is told nothing that it does not understand, and does its work', async (t) => {
  const older = await readOlderProtocol();
  const coordinator = await startCoordinator(t);
  const { token } = await coordinator.coordinator.enrolment.issue();
  const agent = new RememberingAgent(coordinator.url, {
    token,
    offered: ({ lease, fence }, self) => {
      self.say({ type: 'lease.accepted', lease });
      self.say({ type: 'lease.stage', lease, stage: 'running' });
      self.say({ type: 'lease.completed', lease, fence, result: makeResult() });
    },
  });
  t.after(() => agent.socket.terminate());
  const { agentId, protocol } = await agent.heard('session.welcome');
  assert.equal(protocol, PROTOCOL_VERSION);
  const answer = await coordinator.ask('POST', '/v1/executions?wait=20', request);
  const execution = await answer.json();
  assert.deepEqual([answer.status, execution.verdict, execution.receipt], [200, 'ok', null]);
  await agent.heard('lease.acknowledged');
  // The rest of what can be said.
  const environment = execution.environment.id;
  for (const [verb, body] of [
    ['pin', { environment }],
    ['prefetch', { environment }],
    ['revoke', { layers: [`sha256:${'0'.repeat(64)}`], reason: 'test' }],
  ] as const) {
    const done = await coordinator.ask('POST', `/v1/cache/${verb}`, body);
    assert.ok(done.status < 300, `${verb}: ${done.status} ${await done.text()}`);
  }
  await agent.heard('layers.prefetch');
  await agent.heard('trust.state');
  await coordinator.ask('POST', `/v1/agents/${agentId}/drain`);
  await agent.heard('agent.drain');
  agent.report(2, [{ lease: 'lease_unknown', fence: 1 }]);
  await agent.heard('session.wanted');
  const told = new Set(agent.said.map(({ type }) => type));
  for (const type of ['session.challenge', 'session.welcome', 'lease.offer', 'layers.pinned'] as const) {
    assert.ok(told.has(type), type);
  }
  for (const message of agent.said) assert.equal(await older.coordinator(message), null);
  for (const message of agent.spoken) assert.equal(await older.agent(message), null, 'it is one of that release');
});

test('an agent of the release before is not given what it does not understand, and the reason is told', async (t) => {
  const coordinator = await startCoordinator(t);
  const { token } = await coordinator.coordinator.enrolment.issue();
  const older = new ScriptedAgent(coordinator.url, { token });
  t.after(() => older.socket.terminate());
  const { agentId } = await older.heard('session.welcome');
  const posted = await coordinator.ask('POST', '/v1/executions', { ...request, tests: [{ stdin: 'a' }] });
  const { id } = await posted.json();
  const explain = async () => (await (await coordinator.ask('GET', `/v1/executions/${id}/placement`)).json()).waiting;
  let waiting = await explain();
  while (waiting === null || waiting.agents.length === 0) waiting = await explain();
  assert.deepEqual(waiting.agents, [{ agent: agentId, obstacles: ['release'] }]);
  const newer = new ScriptedAgent(coordinator.url, {
    token: (await coordinator.coordinator.enrolment.issue()).token,
    understands: [...additions],
  });
  t.after(() => newer.socket.terminate());
  const { order } = await newer.heard('lease.offer');
  assert.deepEqual(
    order.tests?.cases.map(({ stdin }) => stdin),
    ['a'],
  );
  assert.equal(
    older.said.some(({ type }) => type === 'lease.offer'),
    false,
  );
});

test('what an agent of this release says beyond that is known to be more', async () => {
  const older = await readOlderProtocol();
  const complaint = await older.agent({ type: 'lease.refused', lease: 'l', reason: 'r', policy: 'lasting' } as never);
  assert.match(complaint ?? '', /additional properties/);
});
