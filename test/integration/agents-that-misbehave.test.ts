/**
 * Owns agents that lie, replay, flood, stall or come twice: each is closed or has no effect, for a named reason, and whoever works beside it goes on.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { closeCodes } from '../../shared/protocol/version.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { makeReport, makeResult } from '../support/lease-results.ts';
import type { AgentScript } from '../support/scripted-agent.ts';

const request = { environment: { base: 'debian-13' }, run: { script: 'echo hello' } };
const willing: AgentScript = {
  offered: ({ lease, fence }, agent) => agent.say({ type: 'lease.completed', lease, fence, result: makeResult() }),
};

/** A coordinator, an honest agent, and the proof that the latter still works. */
async function startBesideHonest(t: TestContext) {
  const coordinator = await startCoordinator(t, { offerTimeoutMs: 500, reportIntervalMs: 1000, leaseTtlMs: 5000 });
  const honest = await coordinator.join({ ...willing, slots: 4 });
  const reporting = setInterval(() => honest.report(4), 300);
  t.after(() => clearInterval(reporting));
  const works = async () => {
    const answer = await coordinator.ask('POST', '/v1/executions?wait=20', request);
    assert.equal(answer.status, 200);
    assert.equal((await answer.json()).verdict, 'ok');
  };
  await works();
  return { coordinator, works };
}

test('an agent that claims more slots or memory than any machine has is closed with the reason', async (t) => {
  const { coordinator, works } = await startBesideHonest(t);
  const many = await coordinator.join({ slots: 1_000_000 });
  assert.equal((await many.closed).code, closeCodes.messageInvalid);
  assert.match((await many.heard('session.refused')).reason, /slots/);
  const large = await coordinator.join({ offer: { memoryBytes: 2 ** 50, diskBytes: 2 ** 50 } });
  assert.equal((await large.closed).code, closeCodes.messageInvalid);
  assert.match((await large.heard('session.refused')).reason, /memory/);
  await works();
});

test("another agent's lease, a foreign fence and a result that is said again have no effect", async (t) => {
  const { coordinator } = await startBesideHonest(t);
  const pool = { placement: { pool: 'apart' } };
  const owner = await coordinator.join({ pool: 'apart', slots: 1 });
  const thief = await coordinator.join({ pool: 'elsewhere', slots: 1 });
  const waited = coordinator.ask('POST', '/v1/executions?wait=20', { ...request, ...pool });
  const { lease, fence } = await owner.heard('lease.offer');
  owner.say({ type: 'lease.accepted', lease });
  const lie = makeResult({ run: makeReport({ stdout: 'a lie\n' }) });
  thief.say({ type: 'lease.completed', lease, fence, result: lie });
  await thief.heard('lease.acknowledged');
  owner.say({ type: 'lease.completed', lease, fence: fence + 1, result: lie });
  await owner.heard('lease.acknowledged');
  owner.say({ type: 'lease.completed', lease, fence, result: makeResult() });
  const answer = await (await waited).json();
  assert.equal(answer.run.stdout, 'hello\n');
  owner.say({ type: 'lease.completed', lease, fence, result: lie });
  // A message after it is answered, so it was read.
  owner.report(1, [{ lease: 'lease_unknown', fence: 1 }]);
  await owner.heard('session.wanted');
  const found = await (await coordinator.ask('GET', `/v1/executions/${answer.id}`)).json();
  assert.equal(found.run.stdout, 'hello\n');
});

test("a key that is written in another way lets nobody in, and does not keep the list of agents' keys from others", async (t) => {
  const { coordinator, works } = await startBesideHonest(t);
  const { token } = await coordinator.coordinator.enrolment.issue();
  const spellings: AgentScript['spelled'][] = [
    (der) => `${der.toString('base64')}\n`,
    (der) => der.toString('base64url'),
    (der) => Buffer.concat([der, Buffer.alloc(3)]).toString('base64'),
  ];
  for (const spelled of spellings) {
    const agent = coordinator.dial({ token, ...(spelled === undefined ? {} : { spelled }) });
    assert.match((await agent.heard('session.refused')).reason, /public key/);
  }
  await (await coordinator.join({ token })).heard('session.welcome');
  const { payload } = await (await coordinator.ask('GET', '/v1/agents/keys')).json();
  assert.equal(JSON.parse(Buffer.from(payload, 'base64').toString()).agents.length, 2);
  await works();
});

test('an agent that floods its coordinator with messages is listened to at a bounded rate, and the others are served meanwhile', async (t) => {
  const { coordinator, works } = await startBesideHonest(t);
  const flooding = await coordinator.join();
  const message = JSON.stringify({ type: 'lease.stage', lease: 'lease_none', stage: 'running' });
  const from = performance.now();
  const flood = async () => {
    for (let count = 0; count < 30_000; count += 1) {
      flooding.socket.send(message);
      if (count % 500 === 0) await new Promise(setImmediate);
    }
    flooding.report(1, [{ lease: 'lease_unknown', fence: 1 }]);
  };
  await Promise.all([flood(), works(), works()]);
  await flooding.heard('session.wanted');
  // A burst of 20,000, then 5,000 a second: two seconds, of which one is far more than it takes to read them.
  assert.ok(performance.now() - from >= 1000, `${performance.now() - from} ms`);
  assert.equal(flooding.socket.readyState, flooding.socket.OPEN);
  await works();
});

test('whoever has not proved to be an agent may say little', async (t) => {
  const { coordinator, works } = await startBesideHonest(t);
  const stranger = coordinator.dial({ token: 'x'.repeat(100_000) });
  assert.match((await stranger.heard('session.refused')).reason, /greeting/);
  assert.equal((await stranger.closed).code, closeCodes.messageInvalid);
  await works();
});

test('a frame of a gigabyte is refused by its length, and half a frame holds up nobody', async (t) => {
  const { coordinator, works } = await startBesideHonest(t);
  const { hostname, port } = new URL(coordinator.url);
  const open = async () => {
    const socket = connect(Number(port), hostname);
    const key = Buffer.alloc(16, 'k').toString('base64');
    const lines = ['GET /agents HTTP/1.1', `host: ${hostname}:${port}`, 'connection: upgrade', 'upgrade: websocket'];
    socket.write([...lines, `sec-websocket-key: ${key}`, 'sec-websocket-version: 13', '', ''].join('\r\n'));
    const [head] = await once(socket, 'data');
    assert.match(String(head), /^HTTP\/1\.1 101/);
    return socket;
  };
  const huge = await open();
  const header = Buffer.alloc(14);
  header.set([0x81, 0xff]);
  header.writeBigUInt64BE(BigInt(2 ** 30), 2);
  const ended = once(huge, 'close');
  huge.on('error', () => undefined);
  huge.write(header);
  await ended;
  const half = await open();
  half.write(header.subarray(0, 5));
  await works();
  half.destroy();
  // What is allowed of whoever has proved who it is: all of it would be kept until it is there.
  const large = await open();
  header.writeBigUInt64BE(BigInt(64 * 2 ** 20), 2);
  const cut = new Promise((resolve) => large.once('close', resolve));
  large.on('error', () => undefined);
  large.write(header);
  large.write(Buffer.alloc(2 ** 20));
  await cut;
  await works();
});

test('an agent that never answers an offer costs its execution one offer, and is asked for nothing until it has reported', async (t) => {
  const { coordinator } = await startBesideHonest(t);
  const silent = await coordinator.join({ pool: 'apart', slots: 1 });
  const placement = { pool: 'apart' };
  const waited = coordinator.ask('POST', '/v1/executions?wait=20', { ...request, placement });
  const { lease } = await silent.heard('lease.offer');
  await silent.heard('lease.cancel', (message) => message.lease === lease);
  const other = await coordinator.join({ ...willing, pool: 'apart', slots: 1 });
  assert.equal((await (await waited).json()).verdict, 'ok');
  assert.equal(other.said.filter(({ type }) => type === 'lease.offer').length, 1);
  assert.equal(silent.said.filter(({ type }) => type === 'lease.offer').length, 1);
});

test('of two connections with one key the newer counts, and the older is told so', async (t) => {
  const { coordinator, works } = await startBesideHonest(t);
  const first = await coordinator.join();
  const { agentId } = await first.heard('session.welcome');
  const second = coordinator.dial({ keys: first.keys, agentId });
  await second.heard('session.welcome');
  const { code, reason } = await first.closed;
  assert.deepEqual([code, reason], [closeCodes.superseded, 'another connection of this agent took over']);
  await works();
});
