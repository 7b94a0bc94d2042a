/**
 * Owns the proof that the scheduler keeps its promises whatever agents, network and clients do, in simulated time: nothing is lost, nothing counts
 * twice, no slot and no byte is promised twice, nothing waits while it could run, shares are kept. A seed reproduces a run: it is in the title.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { howMany, noteInLedger, testSeed } from '../support/ledger.ts';
import { type Scenario, Simulation } from './simulation.ts';

const seeds = howMany('ENVICUTOR_SIMULATION_SEEDS', 20, 10_000);
const calm = { refusedPercent: 0, failedPercent: 0, silentPercent: 0, fetchMs: 300 };

/** A small fleet in which everything goes wrong now and then. */
const rough: Scenario = {
  ...{ agents: 8, slots: [1, 2, 4], keys: 12, durationMs: 60_000, awayMs: [100, 40_000] },
  tenants: [
    { id: 'many', weight: 1, perSecond: 8, durationMs: 700 },
    { id: 'long', weight: 2, perSecond: 0.5, durationMs: 9000 },
    { id: 'few', weight: 1, perSecond: 1, durationMs: 300 },
  ],
  weather: { refusedPercent: 2, failedPercent: 3, silentPercent: 1, fetchMs: 400 },
  ...{ cutsPerMinute: 1, deathsPerMinute: 1 },
};

test(`nothing is lost and nothing counts twice while everything goes wrong, ${seeds} runs from seed ${testSeed}`, () => {
  const sum = { executions: 0, placements: 0, done: 0, givenUp: 0, withdrawn: 0 };
  for (let number = 0; number < seeds; number += 1) {
    const seed = `${testSeed}-${number}`;
    const simulation = new Simulation(seed, rough);
    try {
      simulation.run();
    } catch (error) {
      throw new Error(`ENVICUTOR_TEST_SEED=${testSeed}, run ${number}: ${String(error)}`, { cause: error });
    }
    const { submitted, placements, done, givenUp, withdrawn } = simulation.counts;
    sum.executions += submitted;
    sum.placements += placements;
    sum.done += done;
    sum.givenUp += givenUp;
    sum.withdrawn += withdrawn;
  }
  assert.ok(sum.done > 0.9 * sum.executions, JSON.stringify(sum));
  assert.ok(sum.placements > sum.done, 'something was tried again');
  noteInLedger('simulation of the scheduler', { seeds, seed: testSeed, ...sum });
});

test('the wall clock may be set back and forth: nothing depends on it', () => {
  const simulation = new Simulation(testSeed, rough);
  for (let jump = 1; jump < 30; jump += 1) {
    simulation.time.after(jump * 2000, () => {
      simulation.time.wallOffsetMs += (jump % 2 === 0 ? 1 : -1) * jump * 3_600_000;
    });
  }
  simulation.run();
});

const percentile = (samples: readonly number[], share: number) =>
  samples.toSorted((a, b) => a - b)[Math.floor(share * (samples.length - 1))] ?? 0;

test("an aggressor at a hundred times its share does not make another tenant's executions wait", () => {
  const victim = { id: 'victim', weight: 1, perSecond: 4, durationMs: 500 };
  const scenario: Scenario = {
    ...{ agents: 10, slots: [4], keys: 4, durationMs: 120_000, awayMs: [1, 2], weather: calm },
    ...{ cutsPerMinute: 0, deathsPerMinute: 0, tenants: [victim] },
  };
  const alone = new Simulation(testSeed, scenario);
  alone.run();
  const aggressor = { id: 'aggressor', weight: 1, perSecond: 400, durationMs: 500 };
  const beside = new Simulation(testSeed, { ...scenario, durationMs: 30_000, tenants: [victim, aggressor] });
  beside.run();
  const [before = 0, after = 0] = [alone, beside].map((simulation) => percentile(simulation.waitsOf('victim'), 0.99));
  const flooded = percentile(beside.waitsOf('aggressor'), 0.5);
  const [latencyAlone = 0, latencyBeside = 0] = [alone, beside].map((simulation) =>
    percentile(simulation.latenciesOf('victim'), 0.99),
  );
  // All slots are taken; the next of them with enough memory becomes free within less than a mean duration.
  assert.ok(after - before <= victim.durationMs, `p99 ${before} ms alone, ${after} ms beside the aggressor`);
  noteInLedger('a victim beside an aggressor at 100 times its share', {
    ...{ seed: testSeed, 'p99 wait ms alone': before.toFixed(1), 'beside it': after.toFixed(1) },
    'p99 of wait and run, beside it by alone': (latencyBeside / latencyAlone).toFixed(2),
  });
  assert.ok(flooded > 1000, 'the aggressor waits for itself');
});

test('ten thousand agents, a twentieth of which vanish every second, lose nothing', { timeout: 300_000 }, () => {
  const simulation = new Simulation(testSeed, {
    ...{ agents: 10_000, slots: [4, 16], keys: 3000, durationMs: 10_000, awayMs: [500, 5000], weather: calm },
    ...{ cutsPerMinute: 1.5, deathsPerMinute: 1.5 },
    tenants: [
      { id: 'many', weight: 1, perSecond: 600, durationMs: 1000 },
      { id: 'others', weight: 1, perSecond: 200, durationMs: 1000 },
    ],
  });
  simulation.run();
  const { submitted, done, placements, withdrawn, quarantined } = simulation.counts;
  // Some ran on two agents that died while they did.
  assert.equal(done + withdrawn + quarantined, submitted, JSON.stringify(simulation.counts));
  assert.ok(quarantined < submitted / 100);
  noteInLedger('simulation of ten thousand agents', { seed: testSeed, submitted, placements, quarantined });
});
