/**
 * Owns the proof of what becomes of executions whose shard is lost, or was just gained, at the worst moment: each is run by one coordinator, and nothing
 * of it stays behind. Environments, scheduler and store are fakes that a test holds back.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentFacts } from '../../coordinator/agents/fleet.ts';
import type { EnvironmentService } from '../../coordinator/environments/environment-service.ts';
import { ExecutionService, type ExecutionServiceDeps } from '../../coordinator/executions/execution-service.ts';
import { RequestMemory } from '../../coordinator/executions/request-memory.ts';
import { shardOf } from '../../coordinator/executions/shard-store.ts';
import type { ExecutionStore, UnfinishedExecution } from '../../coordinator/executions/state-store.ts';
import { noFiles } from '../../coordinator/files/request-files.ts';
import type { Demand } from '../../coordinator/scheduler/scheduler.ts';
import type { Tenant } from '../../coordinator/tenants/keys.ts';
import { systemRandom } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import { EventLog } from '../../shared/http/event-log.ts';
import type { ExecutionId } from '../../shared/ids.ts';
import { silentLogger } from '../../shared/logger.ts';
import type { Execution, ExecutionRequest } from '../../shared/model/execution.ts';
import { limitMaxima } from '../../shared/model/limits.ts';
import { makeResult } from '../support/lease-results.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

type Opened = Awaited<ReturnType<EnvironmentService['open']>>;

const request: ExecutionRequest = { environment: 'env_00000000', run: { script: 'true' } };
const ready: Opened = {
  ready: {
    ...{ id: 'env_00000000', scope: 'shared', layers: [], digests: [], architecture: 'x86_64' },
    ...{ isPrivate: false, variables: {} },
  },
};
const shards = [shardOf('one')];
const asynchronous = { tenantId: 'one', isWaited: false, key: null };
const turn = () => new Promise<void>((resolve) => void setImmediate(resolve));

function setStage(changes: Partial<ExecutionStore> = {}) {
  const clock = new VirtualClock();
  const counts = { waiting: 0 };
  const submitted: ExecutionId[] = [];
  const finished: Execution[] = [];
  const stage = {
    clock,
    counts,
    submitted,
    finished,
    isOurs: true,
    /** What environments are opened with. */
    open: async (): Promise<Opened> => ready,
  };
  const store: ExecutionStore = {
    accept: async () => null,
    acceptAll: async () => null,
    findKey: async () => null,
    finish: async (answer) => void finished.push(answer),
    record: async () => true,
    get: async () => null,
    tenantOf: async () => null,
    list: async () => ({ items: [], next: null }),
    unfinished: async () => [],
    outdated: async () => [],
    remove: async () => false,
    ...changes,
  };
  const deps = {
    ...{ clock, random: systemRandom, log: silentLogger, store },
    shards: { leaseFor: () => ({ shard: shards[0] ?? 0, epoch: 1 }), isKept: () => stage.isOurs },
    environments: { open: () => stage.open(), references: () => [], invalidate: () => undefined },
    scheduler: { submit: ({ executionId }: Demand) => void submitted.push(executionId), withdraw: () => undefined },
    admission: {
      admit: () => undefined,
      giveBack: () => undefined,
      entered: (_tenant: Tenant, count = 1) => {
        counts.waiting += count;
      },
      left: (_tenant: Tenant, count = 1) => {
        counts.waiting -= count;
      },
    },
    memory: new RequestMemory({ liveRequestBytesMax: 1_000_000, isEmbedded: true }),
    tenants: (id: string) => ({ id, weight: 1 }) as Tenant,
    pools: { objectionTo: () => null },
    files: { hold: async () => noFiles, holdAgain: async () => noFiles },
    isRevoked: () => false,
  } as unknown as ExecutionServiceDeps;
  const options = {
    queueWaitMsMax: 1000,
    finishedKept: 100,
    ...{ terminalWaitMsMax: 1000, terminalAwayMsMax: 1000 },
    idempotencyTtlMs: 1000,
    limitMaxima,
  };
  return Object.assign(stage, { service: new ExecutionService(deps, options) });
}

/** Records of executions of a tenant that nobody has ended. */
async function leftBehind(count: number): Promise<UnfinishedExecution[]> {
  const { service } = setStage();
  const left: UnfinishedExecution[] = [];
  for (let index = 0; index < count; index += 1) {
    const execution = await service.submit(request, asynchronous);
    if (!('done' in execution)) throw new Error('it is new');
    left.push({ tenantId: 'one', request, answer: execution.toAnswer() });
  }
  return left;
}

for (const [how, end] of [
  ['ends well', (ended: PromiseWithResolvers<never>) => ended.resolve({ environment: null, verdict: 'ok' } as never)],
  ['fails', (ended: PromiseWithResolvers<never>) => ended.reject(new SystemError('build-failed', 'it failed'))],
] as const) {
  test(`what waited for a build when its shard was lost does not begin here when the build ${how}`, async () => {
    const stage = setStage();
    const ended = Promise.withResolvers<never>();
    const build = { description: { id: 'env_00000000' }, log: new EventLog(0), want: () => () => undefined };
    stage.open = async () => ({ build: { ...build, result: ended.promise } }) as unknown as Opened;
    await stage.service.submit(request, asynchronous);
    assert.equal(stage.counts.waiting, 1);
    stage.service.abandon(shards);
    assert.equal(stage.counts.waiting, 0);
    end(ended);
    await turn();
    assert.equal(stage.counts.waiting, 0);
    assert.deepEqual([stage.submitted, stage.finished], [[], []]);
  });
}

test('a shard that is lost while a batch of it is recorded takes all of it along', async () => {
  const recorded = Promise.withResolvers<null>();
  const stage = setStage({ acceptAll: () => recorded.promise });
  const submitting = stage.service.submitAll([request, request, request], { tenantId: 'one', key: null });
  await turn();
  assert.deepEqual([[...stage.service.tenants()], stage.counts.waiting], [['one'], 3], 'its shard is not idle');
  stage.service.abandon(shards);
  recorded.resolve(null);
  assert.equal((await submitting).length, 3, 'it is recorded: whoever has the shard now takes it up');
  assert.deepEqual([stage.submitted, stage.counts.waiting, [...stage.service.tenants()]], [[], 0, []]);
});

test('an environment that a batch asks for again and again is opened once', async () => {
  const stage = setStage();
  let opened = 0;
  stage.open = async () => {
    opened += 1;
    return ready;
  };
  const other = { ...request, environment: { base: 'debian-12' as const } };
  await stage.service.submitAll([request, other, request, other, request], { tenantId: 'one', key: null });
  assert.deepEqual([opened, stage.submitted.length, stage.counts.waiting], [2, 5, 5]);
});

test('a batch that can not be recorded leaves nothing waiting', async () => {
  const stage = setStage({ acceptAll: () => Promise.reject(new SystemError('shard-moved', 'it has moved')) });
  const submitting = stage.service.submitAll([request, request], { tenantId: 'one', key: null });
  await assert.rejects(submitting, { code: 'shard-moved' });
  assert.deepEqual([stage.submitted, stage.counts.waiting, [...stage.service.tenants()]], [[], 0, []]);
});

test('a shard that is lost while an execution of it is recorded takes it along', async () => {
  const recorded = Promise.withResolvers<null>();
  const stage = setStage({ accept: () => recorded.promise });
  const submitting = stage.service.submit(request, asynchronous);
  await turn();
  assert.deepEqual([...stage.service.tenants()], ['one'], 'its shard is not idle');
  stage.service.abandon(shards);
  recorded.resolve(null);
  const execution = await submitting;
  assert.equal('done' in execution && (await execution.done), null);
  assert.deepEqual([stage.submitted, stage.counts.waiting, [...stage.service.tenants()]], [[], 0, []]);
});

test('a shard that is lost while what was left in it is taken up takes all of it along', async () => {
  const left = await leftBehind(3);
  const stage = setStage({ unfinished: async () => left });
  const opened = Promise.withResolvers<Opened>();
  stage.open = () => opened.promise;
  const resuming = stage.service.resume(shards);
  await turn();
  assert.deepEqual([...stage.service.tenants()], ['one'], 'its shard is not idle');
  stage.service.abandon(shards);
  opened.resolve(ready);
  await resuming;
  assert.deepEqual([stage.submitted, stage.counts.waiting, [...stage.service.tenants()]], [[], 0, []]);
});

test('a shard that is lost while its records are read is not taken up', async () => {
  const read = Promise.withResolvers<UnfinishedExecution[]>();
  const stage = setStage({ unfinished: () => read.promise });
  const resuming = stage.service.resume(shards);
  stage.isOurs = false;
  stage.service.abandon(shards);
  read.resolve(await leftBehind(1));
  await resuming;
  assert.deepEqual([stage.submitted, stage.counts.waiting], [[], 0]);
});

test('what was accepted and ended while the records were read is not run again', async () => {
  const left: UnfinishedExecution[] = [];
  const read = Promise.withResolvers<void>();
  const stage = setStage({ unfinished: () => read.promise.then(() => left) });
  const resuming = stage.service.resume(shards);
  const execution = await stage.service.submit(request, asynchronous);
  assert.ok('done' in execution);
  left.push({ tenantId: 'one', request, answer: execution.toAnswer() });
  const agent = { id: 'agent_a', name: 'a', pool: 'p' } as Partial<AgentFacts> as AgentFacts;
  stage.service.placed(execution.id, agent, []);
  await stage.service.completed(execution.id, makeResult());
  read.resolve();
  await resuming;
  assert.deepEqual([stage.submitted.length, stage.finished.length], [1, 1]);
});

test('a store that goes away while executions are taken up ends none of them: they are taken up later', async () => {
  const left = await leftBehind(3);
  const stage = setStage({ unfinished: async () => left });
  let asked = 0;
  stage.open = async () => {
    asked += 1;
    if (asked === 2) throw new SystemError('state-store-unavailable', 'away for a moment');
    return ready;
  };
  await assert.rejects(stage.service.resume(shards), { code: 'state-store-unavailable' });
  assert.deepEqual([stage.submitted.length, stage.finished.length], [2, 0]);
  await stage.service.resume(shards);
  await turn();
  assert.deepEqual(new Set(stage.submitted), new Set(left.map(({ answer }) => answer.id)));
  assert.deepEqual([stage.submitted.length, stage.finished.length, stage.counts.waiting], [3, 0, 3]);
});
