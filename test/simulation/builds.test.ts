/**
 * Owns the proof that a layer is built once however many want it at once, whatever the builder and its clients do, and that it is nobody's but
 * whose it is to be. In simulated time; a seed reproduces a run.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { howMany, noteInLedger, testSeed } from '../support/ledger.ts';
import { type BuildScenario, SimulatedBuilds } from './simulated-builds.ts';

const seeds = howMany('ENVICUTOR_SIMULATION_SEEDS', 20, 1000);
const busy: BuildScenario = {
  ...{ tenants: ['one', 'two', 'three'], environments: 20, clients: 200, durationMs: 30_000, crowd: 100 },
  ...{ failedPercent: 20, brokenPercent: 10, impatientPercent: 30, privatePercent: 40 },
};

test(`one build at a time for a key, and everybody who waited has what it gave, ${seeds} runs from seed ${testSeed}`, async () => {
  const sum: Record<string, number> = {};
  for (let number = 0; number < seeds; number += 1) {
    const simulation = new SimulatedBuilds(`builds-${testSeed}-${number}`, busy);
    try {
      await simulation.run();
    } catch (error) {
      throw new Error(`ENVICUTOR_TEST_SEED=${testSeed}, run ${number}: ${String(error)}`, { cause: error });
    }
    for (const [what, count] of Object.entries(simulation.counts)) sum[what] = (sum[what] ?? 0) + count;
  }
  noteInLedger('simulation of builds', { seeds, seed: testSeed, ...sum });
  assert.ok((sum['ended'] ?? 0) > 0, 'some builds were ended because nobody waited any more');
});

test('a rush of a thousand on an environment that nobody has seen is one build', async () => {
  const rush = { ...busy, clients: 0, crowd: 1000, failedPercent: 0, brokenPercent: 0, impatientPercent: 50 };
  const simulation = new SimulatedBuilds(testSeed, rush);
  await simulation.run();
  const { builds, served, left } = simulation.counts;
  assert.equal(builds, 1);
  assert.equal(served + left, 1000);
});
