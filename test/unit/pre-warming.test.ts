/**
 * Owns the proof of what is brought to agents ahead of demands: as many copies as the use needs, on homes, never more at once than allowed.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Candidate, Constraints } from '../../coordinator/scheduler/candidate.ts';
import { FleetIndex } from '../../coordinator/scheduler/fleet-index.ts';
import { PreWarming } from '../../coordinator/scheduler/pre-warming.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const anywhere: Constraints = { key: 'any', architecture: 'x86_64', pool: null, labels: {}, exclusiveCore: false };
const environment = { id: 'env_1', digests: ['base', 'top'] };

function setUp(agents: number, copiesAtOnceMax = 32) {
  const clock = new VirtualClock();
  const index = new FleetIndex<Candidate & { readonly slots: number; readonly layers: Set<string> }>();
  const fleet = Array.from({ length: agents }, (_, number) => ({
    ...({
      id: `agent_${number}`,
      architecture: 'x86_64',
      pool: number < 100 ? 'default' : 'other',
      labels: {},
    } as const),
    ...{
      freeMemoryBytes: 1,
      diskBytes: 1,
      exclusiveCores: false,
      freeSlots: 4,
      load: 0,
      slots: 4,
      layers: new Set<string>(),
    },
  }));
  for (const agent of fleet) index.add(agent);
  const asked: string[][] = [];
  const prefetch = (_: object, ids: readonly string[]) => void asked.push([...ids]);
  const warming = new PreWarming({ clock, index, prefetch }, { copiesAtOnceMax });
  /** So many demands a second for so long. */
  const demand = (perSecond: number, seconds: number, constraints = anywhere) => {
    for (let count = 0; count < perSecond * seconds; count += 1) {
      clock.pass(1000 / perSecond);
      warming.placed(environment, constraints);
    }
  };
  const arrive = (id: string) => {
    const agent = fleet.find((each) => each.id === id);
    assert.ok(agent !== undefined);
    agent.layers.add('top');
    index.held(agent, 'top');
  };
  return { clock, asked, warming, demand, arrive, fleet };
}

test('what was asked for a few times is brought nowhere', () => {
  const { demand, asked, clock } = setUp(50);
  demand(1, 2);
  clock.pass(600_000);
  demand(1, 2);
  assert.deepEqual(asked, []);
});

test('what is asked for often has one copy more than it needs, and none is asked for twice', () => {
  const { demand, asked, arrive } = setUp(50);
  arrive('agent_0');
  demand(2, 5);
  assert.equal(asked.flat().length, 1);
  assert.notEqual(asked.flat()[0], 'agent_0');
  arrive(asked.flat()[0] as string);
  demand(2, 5);
  assert.equal(asked.flat().length, 1);
});

test('copies grow with the use: demands a second, how long each takes, how many an agent can serve', () => {
  const { demand, asked, warming } = setUp(100);
  demand(20, 1);
  for (let count = 0; count < 100; count += 1) warming.took('env_1', 2800);
  demand(20, 120);
  // Twenty a second for 2.8 s each are 56 at a time; an agent of four slots is meant for 2.8 of them.
  const copies = new Set(asked.flat()).size;
  assert.ok(copies >= 18 && copies <= 23, String(copies));
  assert.equal(new Set(asked.flat()).size, copies);
});

test('no more fetch at once than allowed, and those that never got it are asked no longer than a minute', () => {
  const { demand, asked } = setUp(100, 3);
  demand(50, 20);
  assert.equal(asked.flat().length, 3);
  demand(50, 60);
  assert.equal(asked.flat().length, 6);
  const off = setUp(100, 0);
  off.demand(50, 20);
  assert.deepEqual(off.asked, []);
});

test('copies go only where the demands may go', () => {
  const { demand, asked, fleet } = setUp(110);
  demand(10, 30, { ...anywhere, key: 'other', pool: 'other' });
  assert.ok(asked.flat().length > 0);
  for (const id of asked.flat()) assert.equal(fleet.find((each) => each.id === id)?.pool, 'other');
});
