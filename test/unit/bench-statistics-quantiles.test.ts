/**
 * Percentiles and how well they are known: intervals hold the true median as often as they say, also where rounds hang together.
 * Never by a clock or by chance without a seed; distributions are known, so that the truth is.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Generator } from '../../bench/statistics/generator.ts';
import {
  dispersionOf,
  type Interval,
  medianByBlocks,
  medianInterval,
  percentile,
  quantileInterval,
  summarise,
} from '../../bench/statistics/quantiles.ts';
import { normal } from '../../bench/statistics/simulated-run.ts';

const oneTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

function holds(interval: Interval | null, value: number): boolean {
  return interval !== null && interval.low <= value && value <= interval.high;
}

/** How many of so many seeded experiments have an interval that holds the truth, as a share. */
function coverage(experiments: number, truth: number, interval: (generator: Generator) => Interval | null): number {
  let held = 0;
  for (let seed = 0; seed < experiments; seed++) if (holds(interval(new Generator(seed)), truth)) held++;
  return held / experiments;
}

/** Independent, lognormal, with a median of 2. */
const independent = (generator: Generator, count: number) =>
  Array.from({ length: count }, () => 2 * Math.exp(0.3 * normal(generator)));

/** Neighbours hang together: what one has, the next has by nine tenths. The median is 2 too. */
function persistent(generator: Generator, count: number): number[] {
  let state = normal(generator);
  return Array.from({ length: count }, () => {
    state = 0.9 * state + Math.sqrt(1 - 0.9 ** 2) * normal(generator);
    return 2 * Math.exp(0.3 * state);
  });
}

test('a percentile is a sample by nearest rank, in whatever order they come', () => {
  assert.equal(percentile([3, 1, 2, 4], 0.5), 2);
  assert.equal(percentile([10, 9, 100], 0.99), 100);
  assert.equal(percentile([5], 0), 5);
  assert.equal(percentile(oneTo(100), 0.9), 90);
});

test('of nothing, and of what is not a number, there is no percentile and no interval', () => {
  assert.ok(Number.isNaN(percentile([], 0.5)));
  assert.ok(Number.isNaN(percentile([1, Number.NaN, 2], 0.5)));
  assert.equal(quantileInterval([], 0.5), null);
  assert.equal(quantileInterval([...oneTo(50), Number.NaN], 0.5), null);
  assert.equal(medianByBlocks([...oneTo(50), Number.NaN]), null);
  const none = summarise([]);
  assert.deepEqual([none.count, none.p50Interval, none.p99Interval], [0, null, null]);
  assert.ok(Number.isNaN(none.p50));
});

test('an interval by order statistics is that of the tables', () => {
  // Binomial tables: of 10 samples the 2nd and the 9th, of 20 the 6th and the 15th, of 100 the 40th and the 61st.
  assert.deepEqual(quantileInterval(oneTo(10), 0.5), { low: 2, high: 9 });
  assert.deepEqual(quantileInterval(oneTo(20), 0.5), { low: 6, high: 15 });
  assert.deepEqual(quantileInterval(oneTo(100), 0.5), { low: 40, high: 61 });
});

test('where the count cannot carry an interval there is none', () => {
  assert.equal(quantileInterval(oneTo(5), 0.5), null);
  assert.deepEqual(quantileInterval(oneTo(6), 0.5), { low: 1, high: 6 });
  assert.equal(quantileInterval(oneTo(367), 0.99), null);
  assert.notEqual(quantileInterval(oneTo(368), 0.99), null);
  assert.equal(quantileInterval(oneTo(400), 0.99, 0.95, 2), null);
  assert.equal(quantileInterval(oneTo(400), 1), null);
});

test('an interval for ten thousand samples is as narrow as theory says', () => {
  const interval = quantileInterval(oneTo(10_000), 0.5);
  assert.deepEqual(interval, { low: 4902, high: 5099 });
});

test('the interval for a median holds it in 93 to 99 of 100 experiments', (t) => {
  const exact = coverage(2000, 2, (generator) => quantileInterval(independent(generator, 100), 0.5));
  const both = coverage(2000, 2, (generator) => medianInterval(independent(generator, 100)));
  t.diagnostic(`order statistics ${exact}, with the bootstrap ${both}`);
  assert.ok(exact >= 0.93 && exact <= 0.99, String(exact));
  assert.ok(both >= 0.93 && both <= 0.99, String(both));
});

test('the interval for a p99 holds it in at least 93 of 100 experiments', (t) => {
  const truth = 2 * Math.exp(0.3 * 2.3263);
  const held = coverage(1000, truth, (generator) => quantileInterval(independent(generator, 600), 0.99));
  t.diagnostic(String(held));
  assert.ok(held >= 0.93, String(held));
});

test('where rounds hang together order statistics promise too much, and the interval that is shown does not', (t) => {
  const exact = coverage(400, 2, (generator) => quantileInterval(persistent(generator, 400), 0.5));
  const shown = coverage(400, 2, (generator) => medianInterval(persistent(generator, 400)));
  t.diagnostic(`order statistics ${exact}, shown ${shown}`);
  assert.ok(exact < 0.7, String(exact));
  assert.ok(shown > 0.85, String(shown));
});

test('the bootstrap gives the same interval for the same samples and needs 32 of them', () => {
  const samples = persistent(new Generator(7), 200);
  assert.deepEqual(medianByBlocks(samples), medianByBlocks(samples));
  assert.equal(medianByBlocks(samples.slice(0, 31)), null);
  assert.notEqual(medianByBlocks(samples.slice(0, 32)), null);
});

test('slow rounds in clusters are told from slow rounds anywhere', () => {
  const rounds = oneTo(1600);
  assert.equal(
    dispersionOf(
      rounds.map((round) => (round % 50 === 0 ? 9 : 1)),
      0.97,
    ),
    1,
  );
  assert.ok(
    dispersionOf(
      rounds.map((round) => (round <= 32 ? 9 : 1)),
      0.97,
    ) > 10,
  );
});

test('a summary has percentiles and the intervals of both ends', () => {
  const { count, p50, p90, p99, p50Interval, p99Interval } = summarise(independent(new Generator(3), 1000));
  assert.equal(count, 1000);
  assert.ok(holds(p50Interval, p50) && holds(p99Interval, p99));
  assert.ok(p50 < p90 && p90 < p99);
});

test('a generator repeats itself for a seed, stays in its range and fills it evenly', () => {
  const [one, same, other] = [new Generator(1), new Generator(1), new Generator(2)];
  const numbers = Array.from({ length: 10_000 }, () => one.below(10));
  assert.deepEqual(
    numbers,
    numbers.map(() => same.below(10)),
  );
  assert.notDeepEqual(
    numbers,
    numbers.map(() => other.below(10)),
  );
  for (let digit = 0; digit < 10; digit++) {
    const count = numbers.filter((number) => number === digit).length;
    assert.ok(count > 880 && count < 1120, `${digit} came ${count} times`);
  }
});
