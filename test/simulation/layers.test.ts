/**
 * Owns the proof that an agent's cache never lets a layer go that is used or pinned, and keeps to its bound, whatever its users, its launcher, its
 * store and its own death do. In simulated time; a seed reproduces a run.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { howMany, noteInLedger, testSeed } from '../support/ledger.ts';
import { type LayerScenario, SimulatedLayers } from './simulated-layers.ts';

const seeds = howMany('ENVICUTOR_SIMULATION_SEEDS', 20, 1000);
const busy: LayerScenario = {
  ...{ tenants: ['one', 'two', 'three'], environments: 16, users: 400, durationMs: 60_000, holdMs: 800 },
  ...{ roomPercent: 40, failedPercent: 8, pinChanges: 20, damages: 6, deaths: 3 },
};

test(`what is used or pinned stays, and the rest within its bound, ${seeds} runs from seed ${testSeed}`, async () => {
  const sum: Record<string, number> = {};
  for (let number = 0; number < seeds; number += 1) {
    // From hardly any room to nearly enough.
    const simulation = new SimulatedLayers(`layers-${testSeed}-${number}`, {
      ...busy,
      roomPercent: 15 + (number % 7) * 12,
    });
    try {
      await simulation.run();
    } catch (error) {
      throw new Error(`ENVICUTOR_TEST_SEED=${testSeed}, run ${number}: ${String(error)}`, { cause: error });
    }
    for (const [what, count] of Object.entries(simulation.counts)) sum[what] = (sum[what] ?? 0) + count;
  }
  noteInLedger('simulation of layers', { seeds, seed: testSeed, ...sum });
  const { served = 0, users = 0, evictions = 0, stuck = 0 } = sum;
  assert.ok(served > users / 2, `${served} of ${users}`);
  assert.ok(evictions > seeds && stuck > 0, `${evictions} layers went, ${stuck} would not`);
});

test('a seed reproduces a run', async () => {
  const runs = [0, 1].map(async () => {
    const simulation = new SimulatedLayers(testSeed, busy);
    await simulation.run();
    return simulation.counts;
  });
  const [one, other] = await Promise.all(runs);
  assert.deepEqual(one, other);
});
