/**
 * Owns the proof that the fleet knows who holds which layer, whatever agents report again, and whatever is learnt of them between two reports.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fleet, FleetAgent } from '../../coordinator/agents/fleet.ts';

function joinOne() {
  const facts = {
    id: 'agent_1' as const,
    ...{ name: 'one', pool: 'default', labels: {}, architecture: 'x86_64', release: '', kernel: '' },
    ...{ cores: 2, memoryBytes: 1024, exclusiveCores: false },
  } as const;
  const fleet = new Fleet();
  const agent = new FleetAgent(facts, { isDraining: false, connectedAtMs: 0, send: () => undefined });
  fleet.join(agent);
  const isAtHand = (layer: string) => fleet.index.holders(layer)?.has(agent) ?? false;
  /** Both books must say the same. */
  const held = () => {
    const layers = [...agent.layers].sort();
    assert.deepEqual(['a', 'b', 'c'].filter(isAtHand), layers);
    return layers;
  };
  return { fleet, agent, held };
}

test('a report that repeats the one before changes nothing, and one that does not is taken over', () => {
  const { agent, held } = joinOne();
  agent.report(2, ['a', 'b']);
  agent.report(2, ['a', 'b']);
  assert.deepEqual(held(), ['a', 'b']);
  agent.report(2, ['a', 'c']);
  assert.deepEqual(held(), ['a', 'c']);
  agent.report(2, ['c']);
  assert.deepEqual(held(), ['c']);
  agent.report(2, []);
  assert.deepEqual(held(), []);
});

test('a report that repeats the one before still corrects what was learnt of the layers in between', () => {
  const { agent, held } = joinOne();
  agent.report(2, ['a', 'b']);
  agent.hold('c');
  assert.deepEqual(held(), ['a', 'b', 'c']);
  agent.report(2, ['a', 'b']);
  assert.deepEqual(held(), ['a', 'b'], 'what it is thought to have since its last result it has not');
  agent.drop('a');
  assert.deepEqual(held(), ['b']);
  agent.report(2, ['a', 'b']);
  assert.deepEqual(held(), ['a', 'b'], 'what was put aside is there again');
});

test('a report that repeats the layers still changes slots and memory', () => {
  const { fleet, agent } = joinOne();
  agent.report(2, ['a'], null, { memoryBytes: 100, diskBytes: 100 });
  agent.report(8, ['a'], null, { memoryBytes: 400, diskBytes: 100 });
  assert.equal(agent.freeMemoryBytes, 400);
  assert.deepEqual(fleet.slots(), { total: 8, free: 8 });
});
