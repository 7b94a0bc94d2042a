/**
 * Owns where work may run by what pools' owners and tenants say: own pools first, others' by their policies and the tenant's consent, private
 * environments at home; hours and shares while it waits; what an agent refuses.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pool } from '../../coordinator/executions/pool-store.ts';
import type { Pools } from '../../coordinator/pools/pools.ts';
import type { SiteCase } from '../../coordinator/pools/site-case.ts';
import type { SystemError } from '../../shared/errors.ts';
import { limitDefaults } from '../../shared/model/limits.ts';
import { knownPools, poolOf } from '../support/known-pools.ts';
import { makeResult } from '../support/lease-results.ts';
import { setUpScheduler } from '../support/scheduler-stage.ts';
import { siteOf } from '../support/site-cases.ts';

async function setStage(...list: Pool[]) {
  let pools: Pools | undefined;
  const stage = setUpScheduler((clock) => {
    pools = knownPools(clock, list);
    return pools;
  });
  const known = pools as unknown as Pools;
  known.listen(() => stage.scheduler.poolsChanged());
  await known.readAgain();
  const join = (name: string, pool: string, slots = 1) => {
    const agent = stage.join(name, slots, 1, pool);
    const names = () => agent.offers().map(({ order }) => String(order.executionId));
    const finish = (name?: string) => {
      const named = agent.offers().find(({ order }) => String(order.executionId) === name);
      const { lease, fence } = named ?? agent.last();
      void stage.scheduler.completed(agent.id, lease, fence, makeResult());
    };
    return { ...agent, names, finish };
  };
  const submit = (name: string, tenantId: string, changes: Partial<SiteCase> = {}) =>
    stage.submit(name, { tenantId, site: siteOf(tenantId, changes) });
  const obstaclesOf = (name: string) =>
    stage.scheduler.explain(`exec_${name}`)?.agents.map(({ agent, obstacles }) => [agent.slice(6), ...obstacles]);
  return { ...stage, pools: known, list, join, submit, obstaclesOf };
}

test("a tenant's work goes to its own pool while that has room, then to the operator's, and nobody else's to its own", async () => {
  const { join, submit, obstaclesOf } = await setStage(poolOf('one', null));
  const [own, open] = [join('own', 'one-pool', 2), join('open', 'default', 4)];
  for (const name of ['a', 'b', 'c']) submit(name, 'one');
  submit('x', 'two');
  assert.deepEqual(
    [own.names(), open.names()],
    [
      ['a', 'b'],
      ['c', 'x'],
    ],
  );
  for (const name of ['y', 'z', 'w']) submit(name, 'two');
  assert.deepEqual(open.names(), ['c', 'x', 'y', 'z']);
  assert.deepEqual(obstaclesOf('w'), [['open', 'full']], 'what it may not use it does not see');
});

test("another site's pool takes what its owner lets in and the tenant has opted in to, when there is no room elsewhere", async () => {
  const { join, submit, obstaclesOf } = await setStage(poolOf('one', ['two']), poolOf('two', null));
  const [foreign, own] = [join('foreign', 'one-pool', 4), join('own', 'two-pool')];
  const optedIn = { foreignPools: ['one-pool'] };
  submit('a', 'two', optedIn);
  submit('b', 'two', optedIn);
  submit('c', 'two');
  submit('d', 'three', optedIn);
  assert.deepEqual([own.names(), foreign.names()], [['a'], ['b']]);
  assert.deepEqual(obstaclesOf('c'), [
    ['foreign', 'not-opted-in'],
    ['own', 'full'],
  ]);
  assert.deepEqual(obstaclesOf('d'), [], 'its owner has not let this tenant in: it is not there for it');
});

test('an owner bounds what others may ask for and run on', async () => {
  const limits = { memoryBytes: 64 };
  const terms = { limits, environments: { scopes: ['shared' as const], egress: ['any'] } };
  const { join, submit, obstaclesOf } = await setStage(poolOf('one', ['*'], terms));
  const agent = join('agent', 'one-pool', 8);
  const ask = (name: string, changes: Partial<SiteCase>) =>
    submit(name, 'two', { foreignPools: ['one-pool'], ...changes });
  ask('fine', { limits: [{ ...limitDefaults.run, memoryBytes: 64 }] });
  ask('large', { limits: [{ ...limitDefaults.run, memoryBytes: 65 }] });
  ask('tenants', { layers: [{ scope: 'tenant-two', base: 'debian-13', egress: 'any' }] });
  ask('egress', { layers: [{ scope: 'shared', base: 'debian-13', egress: 'other' }] });
  submit('own', 'one', { limits: [{ ...limitDefaults.run, memoryBytes: 65 }] });
  assert.deepEqual(agent.names(), ['fine', 'own']);
  for (const name of ['large', 'tenants', 'egress']) assert.deepEqual(obstaclesOf(name), [['agent', 'policy']]);
});

test("private environments stay in their tenant's pools, and in those that it named for them", async () => {
  const { join, submit, obstaclesOf } = await setStage(poolOf('one', ['two']), poolOf('two', null));
  const [foreign, open] = [join('foreign', 'one-pool', 9), join('open', 'default', 9)];
  const isPrivate = true;
  submit('home', 'two', { isPrivate, foreignPools: ['one-pool'] });
  assert.deepEqual(obstaclesOf('home'), [
    ['foreign', 'private'],
    ['open', 'private'],
  ]);
  submit('named', 'two', { isPrivate, privatePools: ['one-pool'] });
  submit('also', 'two', { isPrivate, privatePools: ['default'] });
  // Whoever has no pool has only the operator's.
  submit('none', 'three', { isPrivate, foreignPools: ['one-pool'] });
  assert.deepEqual([foreign.names(), open.names()], [['named'], ['also', 'none']]);
  const own = join('own', 'two-pool');
  assert.deepEqual(own.names(), ['home']);
});

test('others have at most their share of a pool, over all its agents; its owner has the rest and more', async () => {
  const { join, submit, obstaclesOf } = await setStage(poolOf('one', ['two'], { sharePercentMax: 50 }));
  const agents = [join('a', 'one-pool', 1), join('b', 'one-pool', 3)];
  const names = () => agents.flatMap((agent) => agent.names()).sort();
  for (const name of ['w', 'x', 'y']) submit(name, 'two', { foreignPools: ['one-pool'] });
  assert.equal(names().length, 2);
  assert.deepEqual(
    obstaclesOf('y')?.map(([, ...obstacles]) => obstacles.includes('share')),
    [true, true],
  );
  for (const name of ['m', 'n', 'o']) submit(name, 'one');
  assert.equal(names().length, 4, 'the owner is not held up by it');
  const over = agents.find((agent) => agent.names().includes('w'));
  over?.finish('w');
  assert.deepEqual(names(), ['m', 'n', 'w', 'x', 'y'], 'what a guest has given back another guest has');
});

test('hours open and close while work waits', async () => {
  // The clock of these tests begins on a Thursday at 00:16:40.
  const hours = [{ days: ['thu' as const], from: '00:18', to: '00:19' }];
  const { clock, join, submit, obstaclesOf } = await setStage(poolOf('one', ['two'], { hours }));
  const agent = join('agent', 'one-pool', 1);
  submit('early', 'two', { foreignPools: ['one-pool'] });
  assert.deepEqual(obstaclesOf('early'), [['agent', 'hours']]);
  clock.pass(50_000);
  submit('late', 'two', { foreignPools: ['one-pool'] });
  clock.pass(29_000);
  assert.deepEqual(agent.names(), []);
  clock.pass(2000);
  agent.finish();
  assert.equal(agent.names().length, 1, 'the first has waited too long, and the other one has its turn');
  clock.pass(60_000);
  submit('owner', 'one');
  submit('too-late', 'two', { foreignPools: ['one-pool'] });
  assert.deepEqual([agent.names().at(-1), obstaclesOf('too-late')], ['owner', [['agent', 'full', 'hours']]]);
});

test('a change of a policy reaches what waits, and one kind of work does not hold up another', async () => {
  const { join, submit, pools, list, scheduler } = await setStage(poolOf('one', null), poolOf('two', null));
  const [foreign, open] = [join('foreign', 'one-pool', 20), join('open', 'default', 1)];
  for (let index = 0; index < 10; index += 1) submit(`private${index}`, 'two', { isPrivate: true });
  submit('plain', 'two', { foreignPools: ['one-pool'] });
  assert.deepEqual(open.names(), ['plain']);
  for (let index = 0; index < 10; index += 1) submit(`more${index}`, 'two', { foreignPools: ['one-pool'] });
  assert.deepEqual(foreign.names(), []);
  list[0] = poolOf('one', ['two']);
  await pools.readAgain();
  assert.deepEqual(
    foreign.names(),
    Array.from({ length: 10 }, (_, index) => `more${index}`),
  );
  assert.equal(scheduler.depth, 10, 'what is private waits');
});

test('work that a new policy tells apart does not wait for each other any more', async () => {
  const { join, submit, pools, list } = await setStage(poolOf('one', null));
  const agent = join('agent', 'one-pool', 20);
  const limits = (memoryBytes: number) => [{ ...limitDefaults.run, memoryBytes }];
  const foreignPools = ['one-pool'];
  for (let index = 0; index < 10; index += 1) submit(`large${index}`, 'two', { foreignPools, limits: limits(65) });
  submit('small', 'two', { foreignPools, limits: limits(64) });
  list[0] = poolOf('one', ['two'], { limits: { memoryBytes: 64 } });
  await pools.readAgain();
  assert.deepEqual(agent.names(), ['small']);
});

test('what an agent refuses by its policy goes elsewhere, is not offered to it again for a while, and does not rest it', async () => {
  const { clock, scheduler, join, submit, obstaclesOf, told } = await setStage();
  const strict = join('strict', 'default', 4);
  submit('a', 'two');
  scheduler.refused(strict.id, strict.last().lease, 'not here', 'lasting');
  assert.deepEqual(strict.names(), ['a']);
  assert.deepEqual(obstaclesOf('a'), [['strict', 'refused']]);
  submit('b', 'two');
  submit('c', 'one');
  assert.deepEqual(strict.names(), ['a', 'c'], 'others have its room at once, and what is like it is not tried');
  strict.finish('c');
  clock.pass(30_000);
  assert.deepEqual(strict.names(), ['a', 'c']);
  const other = join('other', 'default', 4);
  assert.deepEqual(other.names(), ['a', 'b']);
  assert.ok(told.includes('requeued a'));
  for (const name of ['a', 'b']) other.finish(name);
  other.agent.drain(true);
  submit('d', 'three');
  scheduler.refused(strict.id, strict.last().lease, 'not now', 'passing');
  clock.pass(1500);
  assert.deepEqual(strict.names(), ['a', 'c', 'd']);
  clock.pass(1000);
  assert.deepEqual(strict.names(), ['a', 'c', 'd', 'd'], 'another hour is asked for sooner');
});

test('a pool that is named and may not be had is refused with the reason', async () => {
  const { pools } = await setStage(poolOf('one', ['two'], { limits: { memoryBytes: 64 } }), poolOf('two', null));
  const said = (pool: string, changes: Partial<SiteCase> = {}) =>
    (pools.objectionTo(siteOf('two', changes), pool) as SystemError | null)?.message ?? null;
  assert.match(said('one-pool') ?? '', /not tenant two's.*foreignPools/);
  const optedIn = { foreignPools: ['one-pool'] };
  assert.equal(said('one-pool', optedIn), null);
  assert.match(
    said('one-pool', { ...optedIn, limits: [limitDefaults.run] }) ?? '',
    /memoryBytes is \d+.*allow others 64/,
  );
  assert.match(said('default', { isPrivate: true }) ?? '', /private environments of tenant two.*privatePools/);
  assert.deepEqual([said('two-pool'), said('default'), said('nobody-has-named')], [null, null, null]);
});
