/**
 * Owns the proof of what is and is not repeated when only the network or the coordinator fails, and agents do all that they should: what a cut or
 * a silence that was short enough costs, what one costs that was not, and what the coordinator's death costs. Many agents, in simulated time.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeep, noteInLedger, testSeed } from '../support/ledger.ts';
import { calm } from './scenarios.ts';
import { type Scenario, Simulation, schedulerOptions } from './simulation.ts';

const tenants = [
  { id: 'many', weight: 1, perSecond: 12, durationMs: 1000 },
  { id: 'long', weight: 1, perSecond: 1, durationMs: 12_000 },
];
const quiet: Scenario = { ...calm, tenants, durationMs: 120_000 };
const { trouble } = calm;

test('a cut that is over within the grace repeats nothing that an agent has', () => {
  const simulation = new Simulation(testSeed, {
    ...quiet,
    trouble: { ...trouble, cutsPerMinute: 10, awayMs: [10, schedulerOptions.reconnectGraceMs - 100] },
  });
  simulation.run();
  const { repeats, retries, done, withdrawn, submitted } = simulation.counts;
  assert.equal(repeats, 0);
  assert.equal(done + withdrawn, submitted);
  assert.ok(retries < submitted / 100, 'only offers that the cut swallowed were made again');
});

test('silences shorter than half of what an answer may take repeat nothing', () => {
  const simulation = new Simulation(testSeed, {
    ...quiet,
    trouble: { ...trouble, partitionsPerMinute: 6, partitionMs: [10, schedulerOptions.offerTimeoutMs / 2 - 100] },
  });
  simulation.run();
  const { retries, done, withdrawn, submitted } = simulation.counts;
  assert.equal(retries, 0);
  assert.equal(done + withdrawn, submitted);
});

test('a silence that outlives every lease loses nothing: what ran elsewhere meanwhile counts once', () => {
  const simulation = new Simulation(testSeed, {
    ...quiet,
    trouble: { ...trouble, partitionsPerMinute: 0.5, partitionMs: [schedulerOptions.leaseTtlMs + 1000, 60_000] },
  });
  simulation.run();
  const { repeats, done, withdrawn, quarantined, submitted } = simulation.counts;
  assert.ok(repeats > 0, 'something still ran on an agent that was given up');
  assert.equal(done + withdrawn + quarantined, submitted, JSON.stringify(simulation.counts));
});

test('a coordinator that dies in the middle of assignments costs no execution a failure', () => {
  const failOversMs = [10_007, 30_011, 50_021, 70_001, 90_001];
  const simulation = new Simulation(testSeed, { ...quiet, failOversMs, downMs: [100, 3000] });
  simulation.run();
  const { retries, done, withdrawn, submitted, failOvers } = simulation.counts;
  assert.equal(failOvers, failOversMs.length);
  assert.equal(done + withdrawn, submitted, JSON.stringify(simulation.counts));
  assert.equal(retries, 0, 'the next coordinator found agents that did what they were told');
});

test('when nearly everything fails, retries keep to their budget', () => {
  const simulation = new Simulation(testSeed, {
    ...{ ...calm, agents: 40, durationMs: 60_000, weather: { ...calm.weather, failedPercent: 80 } },
    tenants: [{ id: 'many', weight: 1, perSecond: 60, durationMs: 200 }],
  });
  simulation.run();
  const { givenUp, retries, submitted } = simulation.counts;
  assert.ok(givenUp > submitted / 2, JSON.stringify(simulation.counts));
  assert.ok(retries > 200, 'what the budget allows is used');
});

const fleets = isDeep ? [10_000, 20_000] : [10_000];
for (const agents of fleets) {
  test(`${agents} agents, a twentieth of which vanish every second, lose nothing`, { timeout: 600_000 }, () => {
    const simulation = new Simulation(testSeed, {
      ...{ ...calm, agents, slots: [4, 16], keys: (3 * agents) / 10, durationMs: isDeep ? 60_000 : 10_000 },
      trouble: { ...trouble, cutsPerMinute: 1, deathsPerMinute: 1, partitionsPerMinute: 1, awayMs: [500, 5000] },
      tenants: [
        { id: 'many', weight: 1, perSecond: (6 * agents) / 100, durationMs: 1000 },
        { id: 'others', weight: 1, perSecond: (2 * agents) / 100, durationMs: 1000 },
      ],
    });
    simulation.run();
    const { submitted, done, placements, withdrawn, quarantined } = simulation.counts;
    // Some ran on two agents that died while they did.
    assert.equal(done + withdrawn + quarantined, submitted, JSON.stringify(simulation.counts));
    assert.ok(quarantined < submitted / 100);
    noteInLedger(`simulation of ${agents} agents`, { seed: testSeed, submitted, placements, quarantined });
  });
}
