/**
 * Owns where demands go among several coordinators: shares, room, what comes back, and links that break.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pools } from '../../coordinator/pools/pools.ts';
import { ClusterStage, type Site } from '../support/cluster-stage.ts';
import { knownPools, poolOf } from '../support/known-pools.ts';
import { makeOrder } from '../support/lease-orders.ts';
import { siteOf } from '../support/site-cases.ts';

function stageOfTwo(): { stage: ClusterStage; first: Site; second: Site } {
  const stage = new ClusterStage(2);
  const [first, second] = stage.sites;
  if (first === undefined || second === undefined) throw new Error('two were asked for');
  return { stage, first, second };
}

function flood(site: Site, tenantId: string, count: number, changes: Parameters<Site['submit']>[1] = {}): void {
  for (let index = 0; index < count; index += 1) site.submit(tenantId, changes);
}

/** What each of these got in so long, once it is known how long they take. */
function servedIn(stage: ClusterStage, durationMs: number, tenants: readonly (readonly [Site, string])[]): number[] {
  stage.clock.pass(2500);
  const before = tenants.map(([site, tenantId]) => site.served(tenantId));
  stage.clock.pass(durationMs);
  return tenants.map(([site, tenantId], index) => site.served(tenantId) - (before[index] ?? 0));
}

const near = (actual: number, expected: number, part = 0.05) =>
  assert.ok(Math.abs(actual - expected) <= expected * part, `${actual} is not near ${expected}`);

test('a demand goes where there is room, and its listener hears all of it', () => {
  const { stage, first, second } = stageOfTwo();
  const { offers } = second.join('far', 1);
  stage.clock.pass(500);
  const { told } = first.submit('one');
  stage.clock.pass(500);
  assert.deepEqual(told, ['placed', 'completed']);
  assert.equal(offers.length, 1);
  assert.equal(first.scheduler.depth, 0);
});

test('what can run here is not lent', () => {
  const { stage, first, second } = stageOfTwo();
  const near = first.join('near', 2);
  const far = second.join('far', 2);
  stage.clock.pass(500);
  flood(first, 'one', 2);
  stage.clock.pass(50);
  assert.deepEqual([near.offers.length, far.offers.length], [2, 0]);
});

for (const [where, slots] of [
  ['all at one coordinator', [8, 0]],
  ['evenly at both', [4, 4]],
  ['mostly at one', [7, 1]],
] as const) {
  test(`tenants of two coordinators have equal shares of the agents: ${where}`, () => {
    const { stage, first, second } = stageOfTwo();
    for (const [index, site] of [first, second].entries()) {
      if ((slots[index] ?? 0) > 0) site.join(`a${index}`, slots[index] ?? 0);
    }
    stage.clock.pass(500);
    flood(first, 'one', 800);
    flood(second, 'two', 800);
    const [one = 0, two = 0] = servedIn(stage, 5000, [
      [first, 'one'],
      [second, 'two'],
    ]);
    // Eight slots, ten executions a second each, five seconds.
    near(one + two, 400, 0.05);
    near(one, two);
  });
}

test('weights hold across coordinators', () => {
  const { stage, first, second } = stageOfTwo();
  first.join('a', 4);
  second.join('b', 4);
  stage.clock.pass(500);
  flood(first, 'one', 900, { weight: 3 });
  flood(second, 'two', 900);
  const [one = 0, two = 0] = servedIn(stage, 5000, [
    [first, 'one'],
    [second, 'two'],
  ]);
  near(one, 3 * two, 0.05);
});

test('who may run at one coordinator only has its share of all agents there', () => {
  const { stage, first, second } = stageOfTwo();
  first.join('a', 4, { pool: 'here' });
  second.join('b', 4, { pool: 'there' });
  stage.clock.pass(500);
  const constraints = { key: 'here', architecture: 'x86_64', pool: 'here', labels: {}, exclusiveCore: false };
  flood(second, 'bound', 800, { constraints });
  flood(first, 'free', 800);
  const [bound = 0, free = 0] = servedIn(stage, 5000, [
    [second, 'bound'],
    [first, 'free'],
  ]);
  near(bound + free, 400, 0.05);
  // What the free one has elsewhere counts here: the bound one gets all that it can have.
  near(bound, free);
});

test('an aggressor with a hundred times the demand does not make a tenant of another coordinator wait', () => {
  const { stage, first, second } = stageOfTwo();
  first.join('a', 4);
  second.join('b', 4);
  stage.clock.pass(500);
  flood(first, 'aggressor', 1000);
  stage.clock.pass(1000);
  for (let index = 0; index < 20; index += 1) {
    const { told } = second.submit('victim');
    stage.clock.pass(300);
    assert.equal(told.at(-1), 'completed', `victim ${index} after 300 ms: ${told}`);
  }
});

test('what was lent comes back when there is room here, or elsewhere', () => {
  const { stage, first, second } = stageOfTwo();
  second.join('slow', 1, { takesMs: 60_000 });
  stage.clock.pass(500);
  flood(first, 'one', 3);
  stage.clock.pass(500);
  assert.equal(first.served('one'), 0);
  first.join('quick', 1);
  stage.clock.pass(1000);
  assert.equal(first.served('one'), 2);
});

test('a link that breaks for a moment costs nothing: what runs goes on, its result is told', () => {
  const { stage, first, second } = stageOfTwo();
  const { offers } = second.join('far', 1, { takesMs: 400 });
  stage.clock.pass(500);
  const { told } = first.submit('one');
  stage.clock.pass(100);
  assert.deepEqual(told, ['placed']);
  stage.cut();
  stage.clock.pass(2000);
  assert.deepEqual(told, ['placed', 'completed']);
  assert.equal(offers.length, 1);
});

test('a result that came while the link was broken is told when it is back', () => {
  const { stage, first, second } = stageOfTwo();
  const { offers } = second.join('far', 1, { takesMs: 400 });
  stage.clock.pass(500);
  const { told } = first.submit('one');
  stage.clock.pass(300);
  stage.isApart = true;
  stage.cut();
  stage.clock.pass(500);
  assert.deepEqual(told, ['placed']);
  stage.isApart = false;
  stage.clock.pass(3000);
  assert.equal(told.at(-1), 'completed');
  assert.equal(told.filter((what) => what === 'completed').length, 1);
  assert.ok(offers.length <= 2);
});

test('what lost its agent while the link was broken is told so when it is back, and runs where there is room', () => {
  const { stage, first, second } = stageOfTwo();
  const { agent } = second.join('far', 1, { takesMs: 60_000 });
  stage.clock.pass(500);
  const { told } = first.submit('one');
  stage.clock.pass(500);
  stage.isApart = true;
  stage.cut();
  second.fleet.leave(agent);
  first.join('near', 1);
  // Two reports that do not name its lease: the agent was started anew.
  for (let times = 0; times < 2; times += 1) second.local.reported(agent.id, []);
  assert.equal(second.local.depth, 1);
  stage.clock.pass(100);
  stage.isApart = false;
  stage.clock.pass(5000);
  assert.deepEqual(told, ['placed', 'requeued', 'placed', 'completed']);
});

test('a coordinator that is lost for longer has its demands run elsewhere, and ends what it has of others', () => {
  const { stage, first, second } = stageOfTwo();
  const far = second.join('far', 1, { takesMs: 60_000 });
  stage.clock.pass(500);
  const { told } = first.submit('one');
  stage.clock.pass(100);
  stage.isApart = true;
  stage.cut();
  const near = first.join('near', 1);
  stage.clock.pass(5000);
  assert.deepEqual(told, ['placed', 'requeued', 'placed', 'completed']);
  assert.deepEqual([near.offers.length, far.offers.length], [1, 1]);
  assert.equal(second.local.running, 0, 'the slot there is free again');
});

test('a member that is gone gives everything back at once', () => {
  const { stage, first, second } = stageOfTwo();
  second.join('far', 1, { takesMs: 60_000 });
  stage.clock.pass(500);
  flood(first, 'one', 3);
  stage.clock.pass(500);
  first.join('near', 1);
  stage.cut();
  stage.meet([first]);
  stage.clock.pass(2000);
  assert.equal(first.served('one'), 3);
});

test('withdrawing ends a demand wherever it is', () => {
  const { stage, first, second } = stageOfTwo();
  second.join('far', 1, { takesMs: 60_000 });
  stage.clock.pass(500);
  const both = [first.submit('one'), first.submit('one')];
  stage.clock.pass(500);
  for (const { id } of both) first.scheduler.withdraw(id);
  stage.clock.pass(4000);
  assert.equal(second.local.running, 0);
  assert.equal(second.scheduler.depth + first.scheduler.depth, 0);
  const { told } = second.submit('two', { durationMsMax: 500 });
  stage.clock.pass(200);
  assert.deepEqual(told, ['placed']);
});

test('what is lent keeps the rules of pools: own agents elsewhere go before free ones here, and others have their share there', async () => {
  const list = [poolOf('one', ['two'], { sharePercentMax: 50 })];
  let known: Pools | undefined;
  const stage = new ClusterStage(2, (clock) => {
    known ??= knownPools(clock, list);
    return known;
  });
  await known?.readAgain();
  const [first, second] = stage.sites as [Site, Site];
  const open = first.join('open', 8, { takesMs: 50_000, pool: 'default' });
  const far = second.join('far', 4, { takesMs: 50_000, pool: 'one-pool' });
  stage.clock.pass(500);
  first.submit('one');
  stage.clock.pass(500);
  assert.deepEqual([open.offers.length, far.offers.length], [0, 1], 'its own agent is with the other coordinator');
  const only = { key: 'only', architecture: 'x86_64', pool: 'one-pool', labels: {}, exclusiveCore: false };
  const guest = { constraints: only, site: siteOf('two', { foreignPools: ['one-pool'] }) };
  flood(first, 'two', 4, guest);
  first.submit('two', { ...guest, site: siteOf('two') });
  stage.clock.pass(2000);
  assert.equal(far.offers.length, 3, 'half of four slots are for others');
  flood(first, 'one', 2);
  stage.clock.pass(2000);
  assert.deepEqual([far.offers.length, open.offers.length], [4, 1]);
});

test('what was lent to one that forgot us for a moment comes back, though the link to it is not broken', () => {
  const { stage, first, second } = stageOfTwo();
  second.join('far', 1, { takesMs: 5000 });
  stage.clock.pass(500);
  const runs = first.submit('one');
  const waits = first.submit('one');
  stage.clock.pass(500);
  assert.deepEqual([runs.told, waits.told], [['placed'], []]);
  second.peers.viewed([{ id: second.id, url: `http://${second.id}` }]);
  stage.clock.pass(30_000);
  assert.deepEqual(runs.told, ['placed', 'requeued', 'placed', 'completed']);
  assert.deepEqual(waits.told, ['placed', 'completed']);
  assert.equal(first.scheduler.depth, 0);
});

test('what a tenant had where nobody else was is not held against it by a coordinator that comes later', () => {
  const { stage, first, second } = stageOfTwo();
  stage.isApart = true;
  stage.cut();
  first.join('near', 4);
  stage.clock.pass(500);
  flood(first, 'early', 4000);
  stage.clock.pass(60_000);
  second.join('far', 4);
  flood(second, 'early', 4000);
  flood(second, 'late', 4000);
  stage.clock.pass(500);
  stage.isApart = false;
  const [early = 0, late = 0] = servedIn(stage, 5000, [
    [second, 'early'],
    [second, 'late'],
  ]);
  // It is served beside whoever comes, and never before them.
  assert.ok(early > 0 && late >= early, `${early} and ${late}`);
});

for (const [where, isHome] of [
  ['anybody', false],
  ["one's own agents", true],
] as const) {
  test(`what is on its way to ${where} elsewhere is bounded by its bytes, whatever it is that is large`, async () => {
    let known: Pools | null = null;
    const stage = new ClusterStage(2, (clock) => {
      known = knownPools(clock, isHome ? [poolOf('one', null)] : []);
      return known;
    });
    await (known as Pools | null)?.readAgain();
    const [first, second] = stage.sites;
    assert.ok(first && second);
    second.join('far', 20, { pool: 'one-pool' });
    stage.clock.pass(500);
    const { run, ...order } = makeOrder();
    const large = { ...order, run: { ...run, stdin: 'x'.repeat(20 * 2 ** 20) } };
    flood(first, 'one', 20, { order: () => large });
    const lent = [...(first.peers.all[0]?.loans.waiting() ?? [])].length;
    assert.ok(lent > 0 && lent <= 4, `${lent} were lent at once`);
    stage.clock.pass(2000);
    assert.equal(first.served('one'), 20);
  });
}
