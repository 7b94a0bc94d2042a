/**
 * Owns the choice of an agent: holders first, then room, exclusion as the last resort, a moment's wait for a busy holder; and that a handful of
 * looks is enough in a large fleet.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PoolAccess } from '../../coordinator/pools/pool-access.ts';
import type { Candidate, Constraints } from '../../coordinator/scheduler/candidate.ts';
import { FleetIndex } from '../../coordinator/scheduler/fleet-index.ts';
import { listObstacles } from '../../coordinator/scheduler/obstacles.ts';
import {
  type Considered,
  type PlacementDemand,
  type PlacementTerms,
  place,
} from '../../coordinator/scheduler/placement.ts';
import type { AgentId } from '../../shared/ids.ts';
import { SeededNumbers } from '../support/seeded-numbers.ts';

interface TestAgent extends Candidate {
  freeSlots: number;
  load: number;
}

function agent(name: string, freeSlots: number, layers: string[] = [], changes: Partial<TestAgent> = {}): TestAgent {
  const facts = { architecture: 'x86_64', pool: 'default', labels: {}, exclusiveCores: false };
  const room = { freeMemoryBytes: 100, diskBytes: 100 };
  return {
    id: `agent_${name}`,
    ...facts,
    ...room,
    freeSlots,
    load: freeSlots === 0 ? 1 : 0,
    layers: new Set(layers),
    ...changes,
  };
}

function seeded(seed: string): PlacementTerms['random'] {
  const numbers = new SeededNumbers(seed);
  return { next: () => numbers.below(0x1_0000_0000) / 0x1_0000_0000 };
}

const anywhere: Constraints = { key: 'any', architecture: 'x86_64', pool: null, labels: {}, exclusiveCore: false };
const layers = ['base', 'setup'];
const demand: PlacementDemand = { constraints: anywhere, layers, memoryBytes: 10, diskBytes: 10 };
const nobody: ReadonlySet<AgentId> = new Set();

function indexOf(agents: readonly TestAgent[]): FleetIndex<TestAgent> {
  const index = new FleetIndex<TestAgent>();
  for (const each of agents) index.add(each);
  return index;
}

function choose(agents: readonly TestAgent[], changes: Partial<PlacementTerms> = {}, constraints = anywhere) {
  const terms = { random: seeded('x'), nowMs: 0, excluded: nobody, isPatient: false, isDelayed: false, ...changes };
  const considered: Considered[] = [];
  const { agent: chosen, outcome } = place({ ...demand, constraints }, indexOf(agents), terms, considered);
  return { id: chosen?.id.slice(6) ?? outcome, considered };
}

test('an agent that holds more of the layers wins over one with more room', () => {
  const agents = [agent('a', 8), agent('b', 1, layers, { load: 0.8 }), agent('c', 4, ['base'])];
  const { id, considered } = choose(agents);
  assert.equal(id, 'b');
  assert.deepEqual(
    considered.map(({ agentId, layersHeld, outcome }) => [agentId, layersHeld, outcome]),
    [
      ['agent_a', 0, 'fewer-layers'],
      ['agent_b', 2, 'chosen'],
      ['agent_c', 1, 'fewer-layers'],
    ],
  );
});

test('among equals the one with most room wins, then the first', () => {
  assert.equal(choose([agent('a', 1, [], { load: 0.5 }), agent('b', 3), agent('c', 3)]).id, 'b');
  assert.equal(choose([agent('a', 1), agent('b', 3)]).id, 'b');
});

test('a full agent and one that does not fit the constraints are never chosen', () => {
  const other = agent('other', 9, layers, { architecture: 'aarch64' });
  assert.equal(choose([agent('a', 0, layers), other]).id, 'none');
  const fleet = [
    agent('a', 1),
    agent('b', 1, [], { pool: 'contest' }),
    agent('c', 1, [], { pool: 'contest', labels: { room: '1', disk: 'fast' } }),
  ];
  const of = (changes: Partial<Constraints>) =>
    choose(fleet, {}, { ...anywhere, key: JSON.stringify(changes), ...changes }).id;
  assert.equal(of({ pool: 'contest' }), 'b');
  assert.equal(of({ labels: { disk: 'fast' } }), 'c');
  assert.equal(of({ pool: 'default', labels: { disk: 'fast' } }), 'none');
  assert.equal(of({ pool: 'elsewhere' }), 'none');
});

test('clients that think of ever new constraints are not remembered for ever', () => {
  const index = indexOf([agent('a', 0)]);
  const access = new PoolAccess(1, new Map(), () => 'open');
  const asked = (name: string) => {
    const constraints = { ...anywhere, key: name, labels: { [name]: '1' } };
    index.graded(constraints, access);
    return constraints.key;
  };
  const first = asked('first');
  assert.equal(index.isOpen(first), false, 'it is known that there is no room');
  for (let count = 0; count < 5000; count += 1) asked(`label ${count}`);
  assert.equal(index.isOpen(first), true, 'nothing is known of it any more');
  assert.equal(index.isOpen(asked('x'.repeat(100_000))), true);
  assert.equal(index.isOpen(asked('last')), false);
});

test('an excluded agent is used only when there is no other, and not while the demand is patient', () => {
  const excluded: ReadonlySet<AgentId> = new Set(['agent_a'] as const);
  assert.equal(choose([agent('a', 5), agent('b', 1)], { excluded }).id, 'b');
  assert.equal(choose([agent('a', 5), agent('b', 0)], { excluded }).id, 'none');
  assert.equal(choose([agent('a', 5)], { excluded }).id, 'a');
  assert.equal(choose([agent('a', 5)], { excluded, isPatient: true }).id, 'none');
});

test('a demand waits a moment for a busy agent that holds more, and goes elsewhere when it has waited', () => {
  const agents = [agent('busy', 0, layers), agent('empty', 2)];
  assert.equal(choose(agents, { isDelayed: true }).id, 'delayed');
  assert.equal(choose(agents).id, 'empty');
  assert.equal(choose([agent('busy', 0, layers)], { isDelayed: true }).id, 'none');
  // Who failed it before is not waited for.
  assert.equal(choose(agents, { isDelayed: true, excluded: new Set(['agent_busy']) }).id, 'empty');
});

const many = <Item>(count: number, of: (number: number) => Item): Item[] =>
  Array.from({ length: count }, (_, number) => of(number));

test('among ten thousand, holders are found by their layers, and no more than a handful is looked at', () => {
  const fleet = many(10_000, (number) => agent(String(number), 16, number % 1000 === 7 ? layers : ['base']));
  const index = indexOf(fleet);
  for (let round = 0; round < 200; round += 1) {
    const terms = { random: seeded(String(round)), nowMs: 0, excluded: nobody, isPatient: false, isDelayed: true };
    const considered: Considered[] = [];
    const { agent: chosen } = place(demand, index, terms, considered);
    assert.equal(Number(chosen?.id.slice(6)) % 1000, 7);
    assert.ok(considered.length <= 4 + 2 + 2);
  }
});

test('the first demand for a layer goes to one of its homes, which are the same for all, and others are found when those are full', () => {
  const fleet = many(1000, (number) => agent(String(number), 16));
  const homes = new Set(
    many(50, () => agent('', 0)).map(
      (_, round) => choose(fleet, { random: seeded(String(round)) }).considered[0]?.agentId,
    ),
  );
  assert.equal(homes.size, 1);
  const [home] = homes;
  const full = fleet.map((each) => (each.id === home ? agent(each.id.slice(6), 0) : each));
  const { id } = choose(full);
  assert.notEqual(`agent_${id}`, home);
  assert.notEqual(id, 'none');
});

test('what changes at an agent changes what is found: room, layers, its leaving', () => {
  const fleet = many(20, (number) => agent(String(number), 1, number === 3 ? layers : []));
  const index = indexOf(fleet);
  const terms = { random: seeded('x'), nowMs: 0, excluded: nobody, isPatient: false, isDelayed: false };
  const find = () => place(demand, index, terms).agent?.id;
  const holder = fleet[3] as TestAgent;
  assert.equal(find(), 'agent_3');
  holder.freeSlots = 0;
  holder.load = 1;
  index.changed(holder);
  assert.notEqual(find(), 'agent_3');
  holder.freeSlots = 1;
  index.changed(holder);
  assert.equal(find(), 'agent_3');
  index.dropped(holder, 'setup');
  assert.equal(index.holders('setup'), undefined);
  index.remove(holder);
  assert.equal(index.holders('base'), undefined);
  for (const each of fleet) index.remove(each);
  assert.equal(find(), undefined);
});

test('what keeps agents from taking a demand is said by name', () => {
  const here = { isDraining: false, isResting: false, isSilent: false };
  const agents = [
    { ...agent('fits', 1), ...here },
    { ...agent('full', 0), ...here },
    { ...agent('old', 1, [], { architecture: 'aarch64', pool: 'other' }), ...here },
    { ...agent('leaving', 0), ...here, isDraining: true },
    { ...agent('failed', 1), ...here },
    { ...agent('small', 1, [], { freeMemoryBytes: 9, diskBytes: 9 }), ...here },
  ];
  const wanted: PlacementDemand = { ...demand, constraints: { ...anywhere, pool: 'default' } };
  const { agents: listed, agentsNotShown } = listObstacles(agents, wanted, new Set(['agent_failed']));
  assert.deepEqual(
    listed.map(({ obstacles }) => obstacles),
    [[], ['full'], ['architecture', 'pool'], ['draining'], ['failed-before'], ['memory', 'disk']],
  );
  assert.equal(agentsNotShown, 0);
  assert.equal(
    listObstacles(
      many(150, (number) => ({ ...agent(String(number), 1), ...here })),
      wanted,
      nobody,
    ).agentsNotShown,
    50,
  );
});

test('an agent without the memory or the disk is never chosen, and the few that have it are found among many that have not', () => {
  const fleet = many(5000, (number) => agent(String(number), 4, layers, number === 4321 ? {} : { freeMemoryBytes: 9 }));
  assert.equal(choose(fleet).id, '4321');
  const [first, second] = [agent('first', 4, layers, { diskBytes: 9 }), agent('second', 4)];
  assert.equal(choose([first, second]).id, 'second');
  assert.equal(choose([first]).id, 'none');
});

test('a core of its own is found only where slots have their own', () => {
  const exclusive: Constraints = { ...anywhere, key: 'exclusive', exclusiveCore: true };
  const fleet = [agent('shared', 4, layers), agent('pinned', 1, [], { exclusiveCores: true })];
  assert.equal(choose(fleet, {}, exclusive).id, 'pinned');
  assert.equal(choose(fleet.slice(0, 1), {}, exclusive).id, 'none');
});
