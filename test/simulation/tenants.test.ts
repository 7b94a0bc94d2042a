/**
 * Owns the proof of what tenants may expect of one another in simulated time: shares to the bound that fair queueing has, a wait that an aggressor
 * does not change, and one that a rush on something new does not change either.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noteInLedger, testSeed } from '../support/ledger.ts';
import { calm, percentile } from './scenarios.ts';
import { type Scenario, Simulation } from './simulation.ts';

/** A demand of a tenant with a backlog takes at most so many times its mean. */
const LONGEST = 1.9;
const victim = { id: 'victim', weight: 1, perSecond: 4, durationMs: 500 };
const withVictim: Scenario = { ...calm, durationMs: 120_000, tenants: [victim] };

test("an aggressor at a hundred times its share does not make another tenant's executions wait", () => {
  const alone = new Simulation(testSeed, withVictim);
  alone.run();
  const aggressor = { id: 'aggressor', weight: 1, perSecond: 400, durationMs: 500 };
  const beside = new Simulation(testSeed, { ...withVictim, tenants: [victim, aggressor] });
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

test('tenants that always have something waiting are served by their weights, to within what one turn of all slots takes', () => {
  const [slots, durationMs] = [8, 500];
  const weights = { one: 1, two: 2, three: 3 };
  const scenario: Scenario = {
    ...{ ...calm, agents: slots, slots: [1], keys: 1, durationMs: 900_000 },
    weather: { ...calm.weather, fetchMs: 0 },
    tenants: Object.entries(weights).map(([id, weight]) => ({ id, weight, perSecond: 20, durationMs, backlog: 20 })),
  };
  const simulation = new Simulation(testSeed, scenario);
  const worst = { ms: 0, bound: 1 };
  simulation.looked = () => {
    if (simulation.time.monotonicMs() > scenario.durationMs) return;
    const shares = Object.entries(weights).map(([id, weight]) => ({
      weight,
      ms: simulation.books.servedOf(id) / weight,
    }));
    for (const [index, one] of shares.entries()) {
      for (const other of shares.slice(index + 1)) {
        const apart = Math.abs(one.ms - other.ms);
        // Start-time fair queueing over several servers (Goyal, Vin, Cheng 1996): the longest demand, for each slot and for what is next.
        const bound = (slots + 1) * LONGEST * durationMs * (1 / one.weight + 1 / other.weight);
        assert.ok(apart <= bound, `${apart.toFixed()} ms apart at ${simulation.time.monotonicMs()}, ${bound} allowed`);
        if (apart / bound > worst.ms / worst.bound) Object.assign(worst, { ms: apart, bound });
      }
    }
  };
  simulation.run();
  noteInLedger('shares of three tenants over a quarter of an hour', {
    ...{ seed: testSeed, 'furthest apart ms': worst.ms.toFixed(), allowed: worst.bound.toFixed() },
  });
});

test("a rush on an environment that no agent has is served by all, and is nobody else's wait", () => {
  const crowd = { atMs: 10_000, tenantId: 'rushing', demands: 2000, withinMs: 200, durationMs: 500 };
  const scenario: Scenario = { ...withVictim, durationMs: 40_000, agents: 50, waitMsMax: 20_000, crowd };
  const alone = new Simulation(testSeed, { ...scenario, crowd: { ...crowd, demands: 0 } });
  alone.run();
  const beside = new Simulation(testSeed, scenario);
  beside.run();
  const [before = 0, after = 0] = [alone, beside].map((simulation) => percentile(simulation.waitsOf('victim'), 0.99));
  assert.ok(after - before <= crowd.durationMs, `p99 ${before} ms alone, ${after} ms beside the rush`);
  const last = Math.max(...beside.waitsOf('rushing'));
  // Two hundred slots, half a second each and three tenths for the first fetch of each agent: ten turns, with room for long ones.
  assert.ok(last < 10_000, `the last of them waited ${last} ms`);
  assert.equal(beside.counts.givenUp, 0);
});

test('what can not be served in time is given up when its time is over, neither earlier nor later', () => {
  const crowd = { atMs: 5000, tenantId: 'rushing', demands: 2000, withinMs: 200, durationMs: 1000 };
  const simulation = new Simulation(testSeed, { ...withVictim, durationMs: 20_000, waitMsMax: 5000, crowd });
  simulation.run();
  assert.ok(simulation.counts.givenUp > 500, JSON.stringify(simulation.counts));
});
