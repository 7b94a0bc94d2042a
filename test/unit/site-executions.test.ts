/**
 * Owns the proof of how the work of a site waits, is ended and is refused, on slots that somebody else uses, too. The sandbox is a fake.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Slots } from '../../agent/execution/slots.ts';
import type { LocalExecution } from '../../agent/site/local-execution.ts';
import { SiteExecutions } from '../../agent/site/site-executions.ts';
import { SiteRecords } from '../../agent/site/site-records.ts';
import { systemRandom } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import { silentLogger } from '../../shared/logger.ts';
import type { ExecutionRequest } from '../../shared/model/execution.ts';
import { limitDefaults, limitMaxima } from '../../shared/model/limits.ts';
import type { LaunchReport } from '../../shared/sandbox/sandbox.ts';
import { FakeSandbox, launchReport } from '../support/fake-sandbox.ts';
import { createTestKey, createTestLayer } from '../support/signed-layers.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const { reference } = createTestLayer(createTestKey().signing, 'base');
const environment = { id: 'env_00000000', variables: {}, scope: 'shared' as const, layers: [reference] };
const request: ExecutionRequest = { environment: 'env_00000000', run: { script: 'true' } };
const key = { name: 'k', tenantId: 'one', maxima: limitMaxima };
const { memoryBytes } = limitDefaults.run;

async function setStage(context: TestContext, bounds = { entriesMax: 100, bytesMax: 1e6 }) {
  const folder = await mkdtemp(join(tmpdir(), 'envicutor-site-'));
  const records = await SiteRecords.open(folder, bounds, silentLogger);
  context.after(async () => {
    await records.settled();
    await rm(folder, { recursive: true });
  });
  const clock = new VirtualClock();
  const running: ((report: LaunchReport) => void)[] = [];
  const sandbox = new FakeSandbox(() => new Promise((resolve) => running.push(resolve)));
  const layers = {
    acquire: async () => ({ names: ['sha256-1'], manifests: [], uses: [], release: () => undefined }),
  };
  const needs = {
    ...{ sandbox, layers, clock, random: systemRandom, logger: silentLogger, records },
    identity: { agentId: 'agent_00000000' },
    facts: { name: 'a', pool: 'p', labels: {}, architecture: 'x86_64' as const, exclusiveCores: false },
    environments: { find: () => environment, findCheck: () => null, ran: () => undefined },
  };
  const executions = new SiteExecutions(needs, { queueDepthMax: 2 });
  const slots = new Slots(2, 2 * memoryBytes);
  let fatal: SystemError | null = null;
  let idles = 0;
  executions.attach({
    ...{ slots, changed: () => undefined, send: () => false, fatal: () => fatal },
    idle: () => {
      idles += 1;
    },
  });
  const submit = (changes: Partial<ExecutionRequest> = {}, isWaited = true) =>
    executions.submit({ ...request, ...changes }, { key, isWaited, idempotencyKey: null }) as Promise<LocalExecution>;
  const revoke = (failure: SystemError) => {
    fatal = failure;
    executions.trustChanged();
  };
  const finish = () => running.shift()?.(launchReport());
  const launched = async (count: number) => {
    while (sandbox.launched.length < count) await new Promise(setImmediate);
  };
  const open = () => SiteRecords.open(folder, bounds, silentLogger);
  return { clock, sandbox, executions, slots, submit, revoke, finish, launched, open, records, idles: () => idles };
}

test('work waits for the slots and the memory that leases leave, in its order, and is claimed while it waits', async (context) => {
  const { slots, executions, submit, finish, launched, idles } = await setStage(context);
  const lease = slots.take(memoryBytes);
  assert.ok('slot' in lease);
  const [first, second] = [await submit(), await submit({ metadata: { n: 2 } })];
  assert.deepEqual([first.stage, second.stage], ['running', 'queued']);
  assert.deepEqual(executions.claims, { slots: 2, memoryBytes: 2 * memoryBytes });
  slots.giveBack(lease.slot);
  assert.equal(second.stage, 'preparing');
  assert.equal('refusal' in slots.take(1), true);
  await launched(2);
  finish();
  finish();
  const answers = await Promise.all([first.done, second.done]);
  assert.deepEqual(
    answers.map(({ verdict, metadata }) => [verdict, metadata]),
    [
      ['ok', {}],
      ['ok', { n: 2 }],
    ],
  );
  assert.deepEqual([executions.claims, slots.free, executions.isIdle], [{ slots: 0, memoryBytes: 0 }, 2, true]);
  assert.ok(idles() > 0);
});

test('what is too much, too long or too large has a name, and what waits too long fails by it', async (context) => {
  const { slots, clock, executions, submit, launched } = await setStage(context);
  for (const _ of [1, 2]) slots.take(1);
  const waiting = await submit({ placement: { deadlineMs: 500 } }, false);
  await submit();
  await assert.rejects(submit(), { code: 'queue-full' });
  const limits = { memoryBytes: 2 * memoryBytes + 1 };
  clock.pass(501);
  const { stage, failure, agent } = await waiting.done;
  assert.deepEqual([stage, failure?.code, agent], ['failed', 'no-agent', null]);
  await assert.rejects(submit({ run: { script: 'true', limits } }), { code: 'no-agent' });
  executions.drain();
  await assert.rejects(submit(), { code: 'draining' });
  await launched(0);
});

test('what a key may ask for bounds what it does not ask for, too, over a restart', async (context) => {
  const { executions, records, open, slots } = await setStage(context);
  for (const _ of [1, 2]) slots.take(1);
  const small = { memoryBytes: 1e6, wallTimeMs: 70, idleTimeMs: 60, cpuTimeMs: 50 };
  const terms = { key: { ...key, maxima: { ...limitMaxima, ...small } }, isWaited: false, idempotencyKey: null };
  const asked = { ...request, compile: { script: 'true', limits: { cpuTimeMs: 40 } } };
  await executions.submit(asked, terms);
  assert.equal(executions.claims.memoryBytes, 2 * small.memoryBytes, 'what compile leaves, and run');
  await records.settled();
  const [before] = (await open()).before;
  const inForce = [before?.request.compile, before?.request.run].map((script) =>
    Object.keys(small).map((name) => script?.limits?.[name as keyof typeof small]),
  );
  assert.deepEqual(inForce, [
    [1e6, 70, 60, 40],
    [1e6, 70, 60, 50],
  ]);
});

test('records that may not go take the place of new work', async (context) => {
  const { submit, finish, launched } = await setStage(context, { entriesMax: 1, bytesMax: 1e6 });
  const first = await submit();
  await launched(1);
  finish();
  await first.done;
  await assert.rejects(submit(), { code: 'queue-full' });
});

test('whoever repeats a key hears of the execution when it is written down, and what is being written down counts as queued', async (context) => {
  const { executions, records, slots } = await setStage(context);
  for (const _ of [1, 2]) slots.take(1);
  const accept = records.accept.bind(records);
  const disk = Promise.withResolvers<void>();
  context.mock.method(records, 'accept', async (...of: Parameters<typeof accept>) => {
    const accepted = accept(...of);
    await disk.promise;
    await accepted;
  });
  const ask = (idempotencyKey: string) => executions.submit(request, { key, isWaited: false, idempotencyKey });
  const first = ask('a');
  let isKnown = false;
  const again = ask('a').finally(() => {
    isKnown = true;
  });
  const second = ask('b');
  await assert.rejects(ask('c'), { code: 'queue-full' });
  await new Promise(setImmediate);
  assert.equal(isKnown, false, 'it might be cancelled, or lost, before it is accepted');
  disk.resolve();
  const { id } = await again;
  assert.equal((await first).id, id);
  assert.equal((await executions.cancel('one', id)).stage, 'cancelled');
  assert.notEqual((await second).id, id);
});

test('requests that wait have room together, and a large one is not remembered for its end', async (context) => {
  const { executions, submit, finish, launched, slots } = await setStage(context);
  for (const _ of [1, 2]) slots.take(1);
  const content = 'x'.repeat(150_000_000);
  const files = [{ path: 'a', content }];
  const large = await submit({ files });
  await assert.rejects(submit({ files }), { code: 'queue-full' });
  slots.giveBack(0);
  await launched(1);
  finish();
  await large.done;
  assert.notEqual(await executions.log('one', large.id), large.log);
});

test('a fatal revocation ends what runs as a failure; cancelling and stopping end it without a result', async (context) => {
  const { executions, sandbox, slots, submit, revoke, launched, open } = await setStage(context);
  const revoked = await submit();
  await launched(1);
  revoke(new SystemError('layer-revoked', 'bad'));
  assert.deepEqual([(await revoked.done).stage, (await revoked.done).failure?.code], ['failed', 'layer-revoked']);
  const unwanted = await submit();
  await launched(2);
  const { stage, verdict } = await executions.cancel('one', unwanted.id);
  assert.deepEqual([stage, verdict], ['cancelled', null]);
  await assert.rejects(executions.cancel('two', unwanted.id), { code: 'execution-not-found' });
  const kept = await submit({}, false);
  await launched(3);
  await executions.stop();
  assert.deepEqual([sandbox.kills, slots.free], [3, 2]);
  assert.deepEqual(
    (await open()).before.map(({ answer }) => answer.id),
    [kept.id],
    'what was accepted durably is taken up by the next process',
  );
});
