/**
 * Owns the proof that what was left in a shard is taken up however long the store is away, and that such a shard is not given up before. The store is a fake.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fleet } from '../../coordinator/agents/fleet.ts';
import { Cluster } from '../../coordinator/cluster/cluster.ts';
import { type Member, SHARDS } from '../../coordinator/executions/shard-store.ts';
import { openGate } from '../../coordinator/pools/pool-gate.ts';
import { FairScheduler } from '../../coordinator/scheduler/fair-scheduler.ts';
import { systemRandom } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import { silentLogger } from '../../shared/logger.ts';
import { schedulerOptions } from '../support/scheduler-stage.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const MEMBER_TTL_MS = 10_000;
const away = () => new SystemError('state-store-unavailable', 'it is away');
const turn = () => new Promise<void>((resolve) => void setImmediate(resolve));

function setStage() {
  const clock = new VirtualClock();
  const stage = {
    clock,
    isAway: false,
    others: [] as Member[],
    released: [] as number[],
    takenUp: 0,
    takeUp: async (): Promise<void> => undefined,
    /** Time passes, and what was waited for comes. */
    async pass(durationMs: number) {
      for (let passedMs = 0; passedMs < durationMs; passedMs += 100) {
        clock.pass(100);
        await turn();
      }
    },
  };
  const store = {
    isShared: true,
    beat: async (member: Member, _ttlMs: number, released: readonly number[]) => {
      if (stage.isAway) throw away();
      stage.released.push(...released);
      const held = Array.from({ length: SHARDS }, (_, shard) => ({ shard, epoch: 1 })).filter(
        ({ shard }) => !stage.released.includes(shard),
      );
      const holders = Array.from({ length: SHARDS }, (_, shard) => (stage.released.includes(shard) ? null : member.id));
      return { members: [member, ...stage.others], holders, held };
    },
    leave: async () => undefined,
  };
  const fleet = new Fleet();
  const deps = { clock, random: systemRandom, log: silentLogger, store, key: Buffer.alloc(32), fleet, pools: openGate };
  const local = new FairScheduler({ ...deps }, schedulerOptions);
  const options = { ...schedulerOptions, memberTtlMs: MEMBER_TTL_MS };
  const cluster = new Cluster({ ...deps, local }, options);
  cluster.serve({
    tenants: () => new Set(),
    takeUp: async () => {
      await stage.takeUp();
      stage.takenUp += 1;
    },
    letGo: () => undefined,
    readAgain: () => undefined,
    trusted: () => undefined,
    agentJoined: () => undefined,
    recordSite: async () => undefined,
    buildBase: async () => undefined,
  });
  return Object.assign(stage, { cluster });
}

test('shards that could not be taken up while the store was away are when it is back, though the time of their leases was over', async () => {
  const stage = setStage();
  stage.takeUp = async () => {
    if (stage.isAway) throw away();
  };
  const starting = stage.cluster.start('http://here');
  stage.isAway = true;
  await stage.pass(2 * MEMBER_TTL_MS);
  assert.equal(stage.takenUp, 0);
  stage.isAway = false;
  await stage.pass(MEMBER_TTL_MS);
  await starting;
  assert.equal(stage.takenUp, 1);
});

test('shards are not given up for balance while what was left in them is being taken up', async () => {
  const stage = setStage();
  const read = Promise.withResolvers<void>();
  stage.takeUp = () => read.promise;
  const starting = stage.cluster.start('http://here');
  stage.others.push({ id: 'coordinator_other', url: 'http://127.0.0.1:1' });
  await stage.pass(MEMBER_TTL_MS);
  assert.deepEqual(stage.released, []);
  read.resolve();
  await starting;
  await stage.pass(MEMBER_TTL_MS);
  assert.equal(stage.released.length, SHARDS / 2);
  await stage.cluster.stop();
});
