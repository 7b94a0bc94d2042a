/**
 * Owns the proof that what an operator revokes is not used again: connected agents and those that come later learn it, nothing of it is handed
 * out, what used it is built anew under another key, and neither a restart nor a verifier that is away changes that.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openManifest } from '../../shared/layers/layer-manifest.ts';
import { openTrustState } from '../../shared/layers/trust-state.ts';
import type { Envelope, LayerReference } from '../../shared/model/manifest.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { makeResult } from '../support/lease-results.ts';
import type { AgentScript } from '../support/scripted-agent.ts';

const environment = { setup: 'apt-get install -y g++' };
const request = { environment, run: { script: 'true' } };
const willing: AgentScript = {
  offered: ({ lease, fence }, agent) => agent.say({ type: 'lease.completed', lease, fence, result: makeResult() }),
};

type Coordinator = Awaited<ReturnType<typeof startCoordinator>>;

const stateOf = (envelope: Envelope) => openTrustState(envelope, null);
const digestOf = (reference: LayerReference | undefined, trust: Envelope) =>
  openManifest(reference?.envelope as Envelope, stateOf(trust).keys).tar.digest;

async function build(coordinator: Coordinator, asked: object = environment) {
  const { id } = await (await coordinator.ask('POST', '/v1/environments', asked)).json();
  await (await coordinator.ask('GET', `/v1/environments/${id}/events`)).text();
  return await (await coordinator.ask('GET', `/v1/environments/${id}`)).json();
}

async function revoke(coordinator: Coordinator, what: object) {
  const answer = await coordinator.ask('POST', '/v1/cache/revoke', what);
  return { http: answer.status, ...(await answer.json()) };
}

test('a revocation is told to connected agents at once, and to others in their welcome, before any lease', async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await coordinator.join();
  const { trust: before } = await agent.heard('session.welcome');
  const { layers } = await build(coordinator);
  const { http, trustVersion } = await revoke(coordinator, { layers: [layers[1].digest], kill: true, reason: 'evil' });
  assert.equal(http, 200);
  const { trust } = await agent.heard('trust.state', (said) => stateOf(said.trust).version === trustVersion);
  const [revocation] = stateOf(trust).revocations;
  assert.deepEqual(
    [revocation?.kind, revocation?.value, revocation?.isFatal, revocation?.reason],
    ['layer', layers[1].digest, true, 'evil'],
  );
  assert.ok(stateOf(trust).version > stateOf(before).version);
  const late = await coordinator.join();
  assert.equal(late.said[1]?.type, 'session.welcome', 'the trust state is in what comes first');
  assert.deepEqual(stateOf((await late.heard('session.welcome')).trust).revocations, [revocation]);
});

for (const kind of ['layers', 'keys'] as const) {
  test(`an environment whose layer was revoked by ${kind} is built anew under another key, each time again`, async (t) => {
    const coordinator = await startCoordinator(t);
    const seen = new Set<string>();
    for (let number = 0; number < 3; number += 1) {
      const { layers } = await build(coordinator);
      const { items } = await (await coordinator.ask('GET', '/v1/cache')).json();
      const { digest, key } = items.find((layer: { digest: string }) => layer.digest === layers[1].digest);
      seen.add(key);
      assert.equal((await revoke(coordinator, { [kind]: [kind === 'layers' ? digest : key] })).http, 200);
    }
    assert.equal(seen.size, 3);
    await coordinator.restart();
    await build(coordinator);
    assert.deepEqual(
      coordinator.services.orders.map((order) => order.kind),
      ['base', 'setup', 'setup', 'setup', 'setup'],
    );
    await build(coordinator);
    assert.equal(coordinator.services.orders.length, 5, 'the successor is found again');
  });
}

test('a revoked key stays without use when its layer is purged: its successor is built, not itself again', async (t) => {
  const coordinator = await startCoordinator(t);
  const { layers } = await build(coordinator);
  const [{ key }] = (await (await coordinator.ask('GET', '/v1/cache')).json()).items;
  await revoke(coordinator, { keys: [key] });
  assert.equal((await coordinator.ask('POST', '/v1/cache/purge', { digests: [layers[1].digest] })).status, 200);
  await build(coordinator);
  const { items } = await (await coordinator.ask('GET', '/v1/cache')).json();
  assert.deepEqual(
    items.map((layer: { kind: string; isRevoked: boolean }) => [layer.kind, layer.isRevoked]),
    [
      ['setup', false],
      ['base', false],
    ],
  );
  assert.notEqual(items[0].key, key);
});

test('a revoked base gets a successor too, and everything built before a moment can be revoked', async (t) => {
  const coordinator = await startCoordinator(t);
  const before = await build(coordinator);
  const builtBefore = new Date(Date.parse(before.layers[1].builtAt) + 1).toISOString();
  await revoke(coordinator, { builtBefore });
  const after = await build(coordinator);
  assert.notEqual(after.layers[0].digest, before.layers[0].digest);
  assert.notEqual(after.layers[1].digest, before.layers[1].digest);
  assert.equal(coordinator.services.orders.length, 4);
});

test('what waits for an agent with revoked layers waits for their successors, and is never offered the revoked ones', async (t) => {
  const coordinator = await startCoordinator(t);
  const { layers } = await build(coordinator);
  const { id } = await (await coordinator.ask('POST', '/v1/executions', request)).json();
  await revoke(coordinator, { layers: [layers[1].digest] });
  const agent = await coordinator.join(willing);
  await (await coordinator.ask('GET', `/v1/executions/${id}/events`)).text();
  const found = await (await coordinator.ask('GET', `/v1/executions/${id}`)).json();
  assert.deepEqual([found.stage, found.verdict], ['finished', 'ok']);
  const { trust } = await agent.heard('session.welcome');
  const offers = agent.said.filter((message) => message.type === 'lease.offer');
  assert.equal(offers.length, 1);
  assert.notEqual(digestOf(offers[0]?.order.layers[1], trust), layers[1].digest);
});

test('a verifier that is away delays only the signature: the revocation is recorded, in force here, and told when it is back', async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await coordinator.join(willing);
  const { layers } = await build(coordinator);
  coordinator.services.verifierCode = 503;
  assert.deepEqual(await revoke(coordinator, { layers: [layers[0].digest] }), {
    http: 202,
    trustVersion: null,
    revoked: 1,
  });
  const refused = await (await coordinator.ask('POST', '/v1/executions?wait=20', request)).json();
  assert.equal(refused.stage, 'failed', 'nothing is handed out and nothing can be published');
  assert.equal(agent.said.filter(({ type }) => type === 'lease.offer').length, 0);
  coordinator.services.verifierCode = 200;
  await agent.heard('trust.state', ({ trust }) => stateOf(trust).revocations.length === 1);
  const again = await (await coordinator.ask('POST', '/v1/executions?wait=20', request)).json();
  assert.deepEqual([again.stage, again.verdict], ['finished', 'ok']);
});

test('a revocation that a restart came between is signed afterwards, and agents are let in only with it', async (t) => {
  const coordinator = await startCoordinator(t);
  const { layers } = await build(coordinator);
  coordinator.services.verifierCode = 503;
  await revoke(coordinator, { layers: [layers[1].digest] });
  await coordinator.restart();
  const { token } = await coordinator.coordinator.enrolment.issue();
  const early = coordinator.dial({ token });
  assert.equal((await early.heard('session.refused')).code, 'verifier-unavailable');
  coordinator.services.verifierCode = 200;
  const agent = await coordinator.join();
  const { trust } = await agent.heard('session.welcome');
  assert.deepEqual(
    stateOf(trust).revocations.map(({ value }) => value),
    [layers[1].digest],
  );
});

test('a key is rotated step by step; what the old one signed is good until it is retired, and built again afterwards', async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await coordinator.join(willing);
  const roles = (answer: { keys: { role: string }[] }) => answer.keys.map(({ role }) => role);
  const step = async (name: string) => {
    const answer = await coordinator.ask('POST', `/v1/cache/keys/${name}`, {});
    return { http: answer.status, ...(await answer.json()) };
  };
  /** The agent says that it has seen the newest state, and the coordinator has heard it. */
  const learn = async (trustVersion: number) => {
    agent.say({
      type: 'agent.report',
      slots: { total: 2, free: 2 },
      leases: [],
      layers: [],
      draining: false,
      trustVersion,
    });
    for (;;) {
      const { agents } = await (await coordinator.ask('GET', '/v1/cache/keys')).json();
      if (agents.current === agents.connected) return;
    }
  };
  const before = await build(coordinator);
  assert.equal((await step('switch')).http, 409, 'nothing was announced');
  const announced = await step('announce');
  assert.deepEqual(roles(announced), ['present', 'next']);
  const early = await step('switch');
  assert.deepEqual([early.http, /not learned/.test(early.detail)], [409, true]);
  await learn(announced.trustVersion);
  const switched = await step('switch');
  assert.deepEqual(roles(switched), ['present', 'previous']);
  assert.equal(switched.keys[0].keyid, announced.keys[1].keyid);
  assert.equal(
    (await build(coordinator)).layers[1].digest,
    before.layers[1].digest,
    'signed by the previous key, and good',
  );
  await learn(switched.trustVersion);
  const retired = await step('retire');
  assert.deepEqual(roles(retired), ['present']);
  const { trust } = await agent.heard('trust.state', (said) => stateOf(said.trust).version === retired.trustVersion);
  assert.deepEqual(
    stateOf(trust).keys.map(({ keyid }) => keyid),
    [switched.keys[0].keyid],
  );
  const after = await build(coordinator);
  assert.notEqual(after.layers[0].digest, before.layers[0].digest);
  assert.notEqual(after.layers[1].digest, before.layers[1].digest);
  const present = await revoke(coordinator, { signingKey: switched.keys[0].keyid });
  assert.equal(present.code, 'conflict', 'the key that signs now can not be revoked');
});
