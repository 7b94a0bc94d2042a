/**
 * Owns the proof of the agent's side of the protocol, against a scripted coordinator on a real WebSocket.
 * Never runs programs: the sandbox is a fake whose launches end when the test says so.
 */
import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { LeasingAgent } from '../../agent/agent.ts';
import { Identity } from '../../agent/connection/identity.ts';
import { Processors } from '../../agent/timing/processors.ts';
import { systemClock, systemRandom } from '../../shared/clock.ts';
import { toTrustedKey } from '../../shared/layers/envelope.ts';
import { ManifestTrust } from '../../shared/layers/manifest-trust.ts';
import { silentLogger } from '../../shared/logger.ts';
import { limitDefaults } from '../../shared/model/limits.ts';
import { challengeText } from '../../shared/protocol/agent-messages.ts';
import type { CoordinatorMessage } from '../../shared/protocol/coordinator-messages.ts';
import type { LaunchReport } from '../../shared/sandbox/sandbox.ts';
import { FakeSandbox, launchReport } from '../support/fake-sandbox.ts';
import { specOf } from '../support/layer-specs.ts';
import { coordinatorKey, ScriptedCoordinator, welcome } from '../support/scripted-coordinator.ts';
import { createTestKey, createTestLayer } from '../support/signed-layers.ts';
import { revocation, trustState } from '../support/trust-states.ts';

function offer(lease: string, fence = 1): Extract<CoordinatorMessage, { type: 'lease.offer' }> {
  const envelope = { payloadType: 'x', payload: '', signatures: [{ keyid: 'k', sig: 's' }] };
  const run = { script: 'true', arguments: [], stdin: '', stdinEncoding: 'utf8' as const, variables: {} };
  const order = {
    ...{ executionId: `exec_${lease}`, tenantId: 'local', files: [], compile: null, isOutputStreamed: true },
    layers: [{ spec: specOf('any'), envelope, url: 'http://store/1', origin: 'stored' as const }],
    run: { ...run, limits: limitDefaults.run },
  };
  return { type: 'lease.offer', lease, fence, order };
}

interface Stage {
  readonly coordinator: ScriptedCoordinator;
  readonly agent: LeasingAgent;
  readonly sandbox: FakeSandbox;
  readonly identity: Identity;
  readonly trust: ManifestTrust;
  readonly folder: string;
  /** Ends the oldest running launch. */
  finish(report?: Partial<LaunchReport>): void;
}

async function setStage(
  context: TestContext,
  outboxEntriesMax = 10,
  whenCutOff: 'end' | 'finish' = 'finish',
  written = 'hello',
): Promise<Stage> {
  const coordinator = new ScriptedCoordinator();
  await coordinator.listening;
  const folder = await mkdtemp(join(tmpdir(), 'envicutor-agent-'));
  const identity = await Identity.open(folder);
  const running: ((report: LaunchReport) => void)[] = [];
  const sandbox = new FakeSandbox((_, listener) => {
    void listener.stdout?.(Buffer.from(written));
    return new Promise((resolve) => running.push(resolve));
  });
  const layers = {
    acquire: async () => ({ names: ['sha256-1'], manifests: [], uses: [], release: () => undefined }),
    held: () => ['sha256:1'],
    prefetch: async () => undefined,
    takeUsed: () => [],
    pinExactly: async () => undefined,
    discard: () => false,
    watch: () => undefined,
  };
  const trust = new ManifestTrust();
  const facts = {
    ...{ name: 'test', release: '1', architecture: 'x86_64' as const, kernel: '6', cores: 2, memoryBytes: 1 },
    ...{ pool: 'default', labels: {} },
  };
  const agent = new LeasingAgent(
    {
      ...{ sandbox, layers, trust, identity, clock: systemClock, random: systemRandom, logger: silentLogger },
      token: () => 'one-time',
      processors: new Processors(() => null),
    },
    {
      ...{ facts, coordinatorUrl: coordinator.url, slots: 2, outboxEntriesMax, outboxBytesMax: 1e6, whenCutOff },
      slotCpus: ['0', '1'],
      offer: { memoryBytes: 2 * limitDefaults.run.memoryBytes, diskBytes: 1e9 },
      ...{ redialMinMs: 1, redialMaxMs: 20, heartbeatMs: 1000 },
    },
  );
  agent.start();
  context.after(async () => {
    await agent.stop();
    await coordinator.close();
    // The id may be on its way to the disk.
    await rm(folder, { recursive: true, maxRetries: 5 });
  });
  const finish = (report = {}): void => running.shift()?.(launchReport(report));
  return { coordinator, agent, sandbox, identity, trust, folder, finish };
}

test('it enrols with its token, proves its key, keeps its id and reports at once', async (context) => {
  const { coordinator, identity, trust, folder } = await setStage(context);
  const hello = await coordinator.next('agent.hello');
  assert.deepEqual([hello.agentId, hello.token, hello.protocol], [null, 'one-time', 1]);
  const { signature } = await coordinator.next('agent.proof');
  const key = createPublicKey({ key: Buffer.from(hello.publicKey, 'base64'), format: 'der', type: 'spki' });
  assert.ok(verify(null, Buffer.from(challengeText('n0nce')), key, Buffer.from(signature, 'base64')));
  const report = await coordinator.next('agent.report');
  const offer = { memoryBytes: 2 * limitDefaults.run.memoryBytes, diskBytes: 1e9 };
  const slots = { total: 2, free: 2 };
  const expected = { slots, offer, leases: [], layers: ['sha256:1'], draining: false, trustVersion: 1 };
  assert.deepEqual(report, { type: 'agent.report', ...expected });
  assert.deepEqual(trust.keys, [toTrustedKey(coordinatorKey)]);
  coordinator.drop();
  const again = await coordinator.next('agent.hello');
  assert.deepEqual([again.agentId, again.token, again.publicKey], ['agent_00000001', null, identity.publicKey]);
  // The id is written while the conversation goes on.
  while (!(await readdir(folder)).includes('agent-id')) await new Promise(setImmediate);
  for (const name of ['agent-id', 'agent-key.pem'])
    assert.equal((await stat(join(folder, name))).mode & 0o077, 0, name);
  assert.equal((await Identity.open(folder)).publicKey, identity.publicKey);
});

test('an offered lease is accepted, run, streamed, completed and forgotten when acknowledged', async (context) => {
  const { coordinator, finish } = await setStage(context);
  await coordinator.next('agent.report');
  coordinator.say(offer('lease_1', 7));
  assert.equal((await coordinator.next('lease.accepted')).lease, 'lease_1');
  assert.deepEqual(await coordinator.next('lease.stage'), { type: 'lease.stage', lease: 'lease_1', stage: 'running' });
  const output = await coordinator.next('lease.output');
  assert.deepEqual([output.script, output.stream, output.data], ['run', 'stdout', 'aGVsbG8=']);
  finish();
  const { lease, fence, result } = await coordinator.next('lease.completed');
  assert.deepEqual([lease, fence, result.verdict, result.run?.stdout], ['lease_1', 7, 'ok', 'hello']);
  // An offer that is repeated after the end is answered by the result, not run again.
  coordinator.say(offer('lease_1', 7));
  assert.equal((await coordinator.next('lease.completed')).lease, 'lease_1');
  coordinator.say({ type: 'lease.acknowledged', lease: 'lease_1' });
  coordinator.drop();
  const report = await coordinator.next('agent.report');
  assert.deepEqual(report.leases, []);
});

test('a long result goes in pieces to a coordinator that takes them, and in one message to another', async (context) => {
  const written = 'aé€😀'.repeat(200_000);
  const { coordinator, finish } = await setStage(context, 10, 'finish', written);
  await coordinator.next('agent.report');
  for (const understands of [[], ['message.pieces']]) {
    coordinator.answerToProof = { ...welcome, understands };
    coordinator.drop();
    await coordinator.next('agent.report');
    const lease = `lease_${understands.length}`;
    coordinator.say({ ...offer(lease), order: { ...offer(lease).order, isOutputStreamed: false } });
    await coordinator.next('lease.stage');
    finish();
    const { result } = await coordinator.next('lease.completed');
    assert.ok(result.run?.stdout === written);
    assert.equal(coordinator.pieces > 0, understands.length > 0);
    coordinator.say({ type: 'lease.acknowledged', lease });
  }
});

test('two executions at once have the processors of two slots', async (context) => {
  const { coordinator, sandbox } = await setStage(context);
  await coordinator.next('agent.report');
  coordinator.say(offer('lease_1'));
  coordinator.say(offer('lease_2'));
  await coordinator.next('lease.stage');
  await coordinator.next('lease.stage');
  assert.deepEqual(
    sandbox.launched.map(({ cpus }) => cpus),
    ['0', '1'],
  );
});

test('a certificate is told only to a coordinator that understands it', async (context) => {
  const { coordinator, finish } = await setStage(context);
  for (const said of ['agent.hello', 'agent.proof', 'agent.report'] as const) await coordinator.next(said);
  for (const understands of [[], ['result.certificate']]) {
    coordinator.answerToProof = { ...welcome, understands };
    coordinator.drop();
    await coordinator.next('agent.hello');
    await coordinator.next('agent.proof');
    await coordinator.next('agent.report');
    coordinator.say(offer(`lease_${understands.length}`));
    await coordinator.next('lease.stage');
    finish();
    const { result } = await coordinator.next('lease.completed');
    const reasons = ['frequency-unknown', 'steal-unknown', 'uncalibrated'];
    assert.deepEqual(result.certificate?.reasons, understands.length === 0 ? undefined : reasons);
    assert.deepEqual(
      [result.certificate?.cpus, result.certificate?.slots],
      understands.length === 0 ? [undefined, undefined] : ['0', 1],
    );
    coordinator.say({ type: 'lease.acknowledged', lease: `lease_${understands.length}` });
  }
});

test('a report tells what the launcher counts, once it has been asked', async (context) => {
  const { coordinator, sandbox } = await setStage(context);
  const counts = { stock: 1, stockWanted: 2, stockMisses: 3, running: 4, sweeping: 5 };
  Object.assign(sandbox, { gauges: async () => ({ ...counts, kept: 6, launches: 7, residentBytes: 8 }) });
  let report = await coordinator.next('agent.report');
  while (report.sandbox === undefined) {
    coordinator.drop();
    report = await coordinator.next('agent.report');
  }
  assert.deepEqual(report.sandbox, counts);
});

test('results and leases survive a lost connection: results are said again before the first report', async (context) => {
  const { coordinator, finish } = await setStage(context);
  await coordinator.next('agent.report');
  coordinator.say(offer('lease_1'));
  await coordinator.next('lease.stage');
  finish();
  await coordinator.next('lease.completed');
  coordinator.say(offer('lease_2', 3));
  await coordinator.next('lease.stage');
  coordinator.drop();
  await coordinator.next('agent.hello');
  const report = await coordinator.next('agent.report');
  assert.ok(coordinator.received.some((message) => message.type === 'lease.completed' && message.lease === 'lease_1'));
  await coordinator.next('lease.completed');
  assert.deepEqual(report.leases, [
    { lease: 'lease_2', fence: 3 },
    { lease: 'lease_1', fence: 1 },
  ]);
  assert.equal(report.slots.free, 1);
  finish();
  assert.equal((await coordinator.next('lease.completed')).lease, 'lease_2');
});

test('an agent whose owner wants that ends what it runs when it was alone for nearly as long as a lease is good, and says nothing of it later', async (context) => {
  const { coordinator, sandbox, finish } = await setStage(context, 10, 'end');
  coordinator.answerToProof = { ...welcome, leaseTtlMs: 400 };
  coordinator.drop();
  await coordinator.next('agent.proof');
  coordinator.say(offer('lease_1'));
  await coordinator.next('lease.accepted');
  coordinator.answerToProof = { type: 'session.refused', code: 'draining', reason: 'not now' };
  coordinator.drop();
  while (sandbox.kills === 0) await coordinator.next('agent.hello');
  finish();
  coordinator.answerToProof = welcome;
  for (;;) {
    const { leases } = await coordinator.next('agent.report');
    if (leases.length === 0) break;
  }
  assert.equal(
    coordinator.received.some(({ type }) => type === 'lease.completed'),
    false,
  );
});

test('an agent that is cut off for longer than a lease is good finishes what it holds, and tells it when it is back', async (context) => {
  const { coordinator, sandbox, finish } = await setStage(context);
  coordinator.answerToProof = { ...welcome, leaseTtlMs: 100 };
  coordinator.drop();
  await coordinator.next('agent.proof');
  coordinator.say(offer('lease_1', 7));
  await coordinator.next('lease.accepted');
  coordinator.answerToProof = { type: 'session.refused', code: 'draining', reason: 'not now' };
  coordinator.drop();
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(sandbox.kills, 0);
  finish();
  coordinator.answerToProof = welcome;
  const { lease, fence, result } = await coordinator.next('lease.completed');
  assert.deepEqual([lease, fence, result.verdict], ['lease_1', 7, 'ok']);
});

test('offers beyond the slots, to a full outbox or to a draining agent are refused with the reason', async (context) => {
  const { coordinator, finish } = await setStage(context, 1);
  await coordinator.next('agent.report');
  for (const lease of ['lease_1', 'lease_2', 'lease_3']) coordinator.say(offer(lease));
  assert.deepEqual(await coordinator.next('lease.refused'), {
    ...{ type: 'lease.refused', lease: 'lease_3', reason: 'no slot is free' },
  });
  finish();
  await coordinator.next('lease.completed');
  coordinator.say(offer('lease_4'));
  assert.match((await coordinator.next('lease.refused')).reason, /too many results/);
  coordinator.say({ type: 'agent.drain', state: 'drain' });
  assert.equal((await coordinator.next('agent.report')).draining, true);
  coordinator.say(offer('lease_5'));
  assert.match((await coordinator.next('lease.refused')).reason, /draining/);
  coordinator.say({ type: 'agent.drain', state: 'resume' });
  assert.equal((await coordinator.next('agent.report')).draining, false);
});

test('a lease that is cancelled or not wanted any more is killed without a result', async (context) => {
  const { coordinator, sandbox } = await setStage(context);
  await coordinator.next('agent.report');
  coordinator.say(offer('lease_1'));
  coordinator.say(offer('lease_2'));
  await coordinator.next('lease.stage');
  await coordinator.next('lease.stage');
  coordinator.say({ type: 'lease.cancel', lease: 'lease_1' });
  assert.deepEqual((await coordinator.next('agent.report')).leases, [{ lease: 'lease_2', fence: 1 }]);
  coordinator.say({ type: 'session.wanted', leases: [] });
  assert.deepEqual((await coordinator.next('agent.report')).leases, []);
  assert.equal(sandbox.kills, 2);
  assert.ok(!coordinator.received.some(({ type }) => type === 'lease.completed'));
});

test('draining waits for what runs and for its acknowledgement', async (context) => {
  const { coordinator, agent, finish } = await setStage(context);
  await coordinator.next('agent.report');
  coordinator.say(offer('lease_1'));
  await coordinator.next('lease.stage');
  let isDrained = false;
  const drained = agent.drain().then(() => {
    isDrained = true;
  });
  assert.deepEqual((await coordinator.next('agent.report')).draining, true);
  finish();
  await coordinator.next('lease.completed');
  assert.equal(isDrained, false);
  coordinator.say({ type: 'lease.acknowledged', lease: 'lease_1' });
  await drained;
});

test('an agent that is refused dials again, and offers its token when the coordinator does not know its id', async (context) => {
  const { coordinator } = await setStage(context);
  await coordinator.next('agent.report');
  await coordinator.next('agent.hello');
  const welcome = coordinator.answerToProof;
  coordinator.answerToProof = { type: 'session.refused', code: 'agent-refused', reason: 'unknown agent' };
  coordinator.drop();
  assert.equal((await coordinator.next('agent.hello')).agentId, 'agent_00000001');
  const second = await coordinator.next('agent.hello');
  assert.deepEqual([second.agentId, second.token], [null, 'one-time']);
  coordinator.answerToProof = welcome;
  await coordinator.next('agent.report');
});

test('a message that is not of the protocol ends the connection, and the agent comes back', async (context) => {
  const { coordinator } = await setStage(context);
  await coordinator.next('agent.hello');
  await coordinator.next('agent.report');
  coordinator.say({ type: 'lease.cancel', lease: 'lease_1', unknown: 1 } as CoordinatorMessage);
  await coordinator.next('agent.hello');
});

test('a fatal revocation ends the lease that uses a layer, as a failure that no other agent would escape; others go on', async (context) => {
  const { coordinator, sandbox } = await setStage(context);
  const { reference, manifest } = createTestLayer(coordinatorKey, 'bad');
  const good = createTestLayer(coordinatorKey, 'good');
  const on = (lease: string, layer: typeof reference) => {
    const offered = offer(lease);
    return { ...offered, order: { ...offered.order, layers: [layer] } };
  };
  await coordinator.next('agent.report');
  coordinator.say(on('lease_bad', reference));
  coordinator.say(on('lease_good', good.reference));
  for (const _ of [1, 2]) await coordinator.next('lease.stage');
  const spared = { revocations: [revocation('layer', manifest.tar.digest)] };
  coordinator.say({ type: 'trust.state', trust: trustState([coordinatorKey], 2, spared) });
  while ((await coordinator.next('agent.report')).trustVersion !== 2);
  assert.equal(sandbox.kills, 0, 'what runs may end');
  const fatal = { revocations: [revocation('layer', manifest.tar.digest, true)] };
  coordinator.say({ type: 'trust.state', trust: trustState([coordinatorKey], 3, fatal) });
  const { lease, result } = await coordinator.next('lease.completed');
  assert.deepEqual([lease, result.verdict, result.run], ['lease_bad', null, null]);
  assert.deepEqual([result.failure?.code, result.failure?.isRetryable], ['layer-revoked', false]);
  assert.match(result.failure?.detail ?? '', /ask again/);
  assert.equal(sandbox.kills, 1);
});

test('a state that was rolled back, or that a stranger signed, changes nothing', async (context) => {
  const { coordinator, trust } = await setStage(context);
  await coordinator.next('agent.report');
  const revocations = [revocation('key', 'k-12345678')];
  coordinator.say({ type: 'trust.state', trust: trustState([coordinatorKey], 5, { revocations }) });
  while ((await coordinator.next('agent.report')).trustVersion !== 5);
  coordinator.say({ type: 'trust.state', trust: trustState([coordinatorKey], 4) });
  coordinator.say({ type: 'trust.state', trust: trustState([createTestKey().signing], 6) });
  coordinator.say({ type: 'agent.drain', state: 'drain' });
  while (!(await coordinator.next('agent.report')).draining);
  assert.equal(trust.version, 5);
  assert.notEqual(trust.revoked.ofKey('k-12345678'), null);
});
