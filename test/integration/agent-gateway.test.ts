/**
 * Owns how agents come in: enrolment by a one-time token, their own key for ever after, and what becomes of those who are wrong.
 */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openTrustState } from '../../shared/layers/trust-state.ts';
import { challengeText } from '../../shared/protocol/agent-messages.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';

test('an agent enrols with a token once and then comes back with its key alone', async (t) => {
  const coordinator = await startCoordinator(t);
  const { token } = await (await coordinator.ask('POST', '/v1/agents/enrolments')).json();
  const first = await coordinator.join({ token });
  const welcome = await first.heard('session.welcome');
  assert.match(welcome.agentId, /^agent_/);
  assert.equal(openTrustState(welcome.trust, null).keys.length, 1);
  first.socket.close();
  await first.closed;
  const second = await coordinator.join({ token: null, agentId: welcome.agentId, keys: first.keys });
  assert.equal((await second.heard('session.welcome')).agentId, welcome.agentId);
  const forgetful = await coordinator.join({ token: null, keys: first.keys });
  assert.equal((await forgetful.heard('session.welcome')).agentId, welcome.agentId, 'it had lost its id');
  assert.equal((await second.closed).code, 4002, 'one session for each agent');
  const { items } = await (await coordinator.ask('GET', '/v1/agents')).json();
  assert.deepEqual(
    items.map(({ id, state }: { id: string; state: string }) => [id, state]),
    [[welcome.agentId, 'ready']],
  );
});

test('a used token, no token, a foreign id, a wrong signature: refused with a reason', async (t) => {
  const coordinator = await startCoordinator(t);
  const { token } = await (await coordinator.ask('POST', '/v1/agents/enrolments')).json();
  const { agentId } = await (await coordinator.join({ token })).heard('session.welcome');
  const refused = [
    [coordinator.dial({ token }), /used/],
    [coordinator.dial({}), /token/],
    [coordinator.dial({ agentId }), /not known with this key/],
    [coordinator.dial({ token, signedText: () => challengeText('another nonce') }), /proof/],
    [coordinator.dial({ token, keys: generateKeyPairSync('rsa', { modulusLength: 1024 }) }), /maxLength|length|proof/],
  ] as const;
  for (const [agent, reason] of refused) {
    const said = await agent.heard('session.refused');
    assert.match(said.reason, reason);
    assert.ok([4001, 4004].includes((await agent.closed).code));
  }
});

test('another protocol version is refused by its own close code', async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = coordinator.dial({ protocol: 999 });
  assert.equal((await agent.heard('session.refused')).code, 'protocol-mismatch');
  const { code, reason } = await agent.closed;
  assert.equal(code, 4000);
  assert.match(reason, /999/);
});

test('a refusal is logged once however often the agent tries', async (t) => {
  const coordinator = await startCoordinator(t);
  for (let index = 0; index < 3; index += 1) await coordinator.dial({ protocol: 999 }).closed;
  const refusals = coordinator.logged.filter(({ msg }) => msg === 'agent refused');
  assert.equal(refusals.length, 1);
});

test('messages that are not of the protocol end their own connection only', async (t) => {
  const coordinator = await startCoordinator(t);
  const good = await coordinator.join();
  const unknown = await coordinator.join();
  unknown.socket.send('{"type":"agent.nonsense"}');
  assert.equal((await unknown.closed).code, 4004);
  const binary = await coordinator.join();
  binary.socket.send(Buffer.from('x'));
  assert.equal((await binary.closed).code, 4004);
  const early = coordinator.dial({ token: null });
  early.socket.on('open', () => early.report(5));
  await early.closed;
  assert.equal(good.socket.readyState, good.socket.OPEN);
});

test('a drained agent gets no work until it is resumed, also after it reconnects', async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await coordinator.join();
  const { agentId } = await agent.heard('session.welcome');
  const drained = await (await coordinator.ask('POST', `/v1/agents/${agentId}/drain`)).json();
  assert.equal(drained.state, 'draining');
  assert.equal((await agent.heard('agent.drain')).state, 'drain');
  const request = { environment: {}, run: { script: 'true' } };
  assert.equal((await coordinator.ask('POST', '/v1/executions?wait=0.3', request)).status, 202);
  assert.ok(!agent.said.some(({ type }) => type === 'lease.offer'));
  agent.socket.close();
  await agent.closed;
  const back = await coordinator.join({ token: null, agentId, keys: agent.keys });
  assert.equal((await back.heard('agent.drain')).state, 'drain');
  await coordinator.ask('POST', `/v1/agents/${agentId}/resume`);
  await back.heard('lease.offer');
});

test('an agent that reports leases which nobody wants is told so', async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await coordinator.join();
  agent.report(2, [{ lease: 'lease_00000000', fence: 1 }]);
  assert.deepEqual((await agent.heard('session.wanted')).leases, []);
});

test('an agent that goes silent is let go', async (t) => {
  const coordinator = await startCoordinator(t, { reportIntervalMs: 100 });
  const agent = await coordinator.join();
  assert.equal((await agent.closed).code, 4003);
});

test('the token file holds a fresh token at the start and after it was used', async (t) => {
  const enrolmentTokenFile = join(tmpdir(), `envicutor-token-${process.pid}`);
  const coordinator = await startCoordinator(t, { enrolmentTokenFile });
  const token = (await readFile(enrolmentTokenFile, 'utf8')).trim();
  await coordinator.join({ token });
  const next = (await readFile(enrolmentTokenFile, 'utf8')).trim();
  assert.notEqual(next, token);
  await coordinator.join({ token: next });
});

test('it is ready when state, verifier, builder and an agent are, and says what is missing', async (t) => {
  const coordinator = await startCoordinator(t);
  const before = await coordinator.ask('GET', '/readyz');
  assert.equal(before.status, 503);
  assert.deepEqual(
    (await before.json()).problems.map(({ requirement }: { requirement: string }) => requirement),
    ['agents'],
  );
  const agent = await coordinator.join();
  agent.report(2, [{ lease: 'lease_00000000', fence: 1 }]);
  await agent.heard('session.wanted');
  assert.equal((await coordinator.ask('GET', '/readyz')).status, 200);
  const metrics = await (await coordinator.ask('GET', '/metrics')).text();
  assert.match(metrics, /^envicutor_agents 1$/m);
  assert.match(metrics, /^envicutor_slots 2$/m);
});
