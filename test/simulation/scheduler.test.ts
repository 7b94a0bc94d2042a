/**
 * Owns the proof that the scheduler keeps its promises whatever agents, network, clients and its own death do, in simulated time: nothing is lost,
 * nothing counts twice, no slot and no byte is promised twice, nothing waits while it could run. A seed reproduces a run: it is in the title.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { howMany, noteInLedger, testSeed } from '../support/ledger.ts';
import { rough } from './scenarios.ts';
import { type Scenario, Simulation } from './simulation.ts';

const seeds = howMany('ENVICUTOR_SIMULATION_SEEDS', 20, 10_000);

/** Runs a scenario under so many seeds; the sum of what happened. */
function runAll(name: string, scenario: (number: number) => Scenario): Record<string, number> {
  const sum: Record<string, number> = {};
  for (let number = 0; number < seeds; number += 1) {
    const simulation = new Simulation(`${name}-${testSeed}-${number}`, scenario(number));
    try {
      simulation.run();
    } catch (error) {
      throw new Error(`ENVICUTOR_TEST_SEED=${testSeed}, run ${number}: ${String(error)}`, { cause: error });
    }
    for (const [what, count] of Object.entries(simulation.counts)) sum[what] = (sum[what] ?? 0) + count;
  }
  noteInLedger(`simulation of the scheduler, ${name}`, { seeds, seed: testSeed, ...sum });
  return sum;
}

test(`nothing is lost and nothing counts twice while everything goes wrong, ${seeds} runs from seed ${testSeed}`, () => {
  const {
    submitted = 0,
    done = 0,
    placements = 0,
  } = runAll('rough', (number) => ({
    ...rough,
    zipf: 0.8 + (number % 5) / 10,
  }));
  assert.ok(done > 0.9 * submitted, `${done} of ${submitted}`);
  assert.ok(placements > done, 'something was tried again');
});

test(`nor while coordinators die besides, ${seeds} runs from seed ${testSeed}`, () => {
  const {
    submitted = 0,
    done = 0,
    failOvers = 0,
  } = runAll('fail-over', (number) => ({
    ...rough,
    failOversMs: [7919, 20_011, 41_017].map((atMs) => atMs + 13 * (number % 500)),
    downMs: [0, 5000],
  }));
  assert.equal(failOvers, 3 * seeds);
  assert.ok(done > 0.9 * submitted, `${done} of ${submitted}`);
});

test('the wall clock may be set back and forth: nothing depends on it', () => {
  const [steady, jumping] = [0, 3_600_000].map((hourMs) => {
    const simulation = new Simulation(testSeed, rough);
    for (let jump = 1; jump < 30; jump += 1) {
      simulation.time.after(jump * 2000, () => {
        simulation.time.wallOffsetMs += (jump % 2 === 0 ? 1 : -1) * jump * hourMs;
      });
    }
    simulation.run();
    return { ...simulation.counts, waits: simulation.waitsOf('many') };
  });
  assert.deepEqual(steady, jumping);
});

test('a seed reproduces a run', () => {
  const [one, other] = [0, 1].map(() => {
    const simulation = new Simulation(testSeed, { ...rough, failOversMs: [30_000] });
    simulation.run();
    return { ...simulation.counts, waits: simulation.waitsOf('many') };
  });
  assert.deepEqual(one, other);
});
