/**
 * Owns the choice of an agent: holders first, then free slots, exclusion as the last resort.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Candidate, place } from '../../coordinator/scheduler/placement.ts';
import type { AgentId } from '../../shared/ids.ts';

const agent = (id: string, freeSlots: number, layers: string[] = [], architecture = 'x86_64'): Candidate => ({
  id: `agent_${id}`,
  architecture,
  freeSlots,
  layers: new Set(layers),
});
const demand = { architecture: 'x86_64', layers: ['base', 'setup'] };
const nobody: ReadonlySet<AgentId> = new Set();
const choose = (agents: Candidate[], excluded = nobody, isPatient = false) =>
  place(demand, agents, excluded, isPatient)?.id;

test('an agent that holds more of the layers wins over one with more slots', () => {
  assert.equal(choose([agent('a', 8), agent('b', 1, ['base', 'setup']), agent('c', 4, ['base'])]), 'agent_b');
});

test('among equals the one with most free slots wins, then the first', () => {
  assert.equal(choose([agent('a', 1), agent('b', 3), agent('c', 3)]), 'agent_b');
});

test('a full agent and one of another architecture are never chosen', () => {
  assert.equal(choose([agent('a', 0, ['base', 'setup']), agent('b', 9, [], 'aarch64')]), undefined);
});

test('an excluded agent is used only when there is no other, and not while it is patient', () => {
  const excluded: ReadonlySet<AgentId> = new Set(['agent_a'] as const);
  assert.equal(choose([agent('a', 5), agent('b', 1)], excluded), 'agent_b');
  assert.equal(choose([agent('a', 5), agent('b', 0)], excluded), undefined);
  assert.equal(choose([agent('a', 5)], excluded), 'agent_a');
  assert.equal(choose([agent('a', 5)], excluded, true), undefined);
});
