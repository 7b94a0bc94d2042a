/**
 * The judgement between two runs is right as often as its README says: changes that were planted are found, noise is not called one.
 * Never by a clock; each run is simulated from a seed, with drift, scatter to the right and spikes.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type ComparedRun,
  type Comparison,
  type ComparisonOptions,
  compareSeries,
  SAMPLES_LEAST,
} from '../../bench/statistics/comparison.ts';
import { type SimulatedWorld, simulatedRun, usualWorld } from '../../bench/statistics/simulated-run.ts';

type World = Partial<SimulatedWorld>;

const lower: ComparisonOptions = { better: 'lower' };
const fivePercent = { change: Math.log(1.05) };
const run = (seed: number, world: World = {}) => simulatedRun(seed, { ...usualWorld, ...world });

/** How many of so many pairs of simulated runs get each judgement. */
function judgements(pairs: number, before: World, after: World, options: ComparisonOptions, hasRival = true) {
  const counts: Record<Comparison['judgement'], number> = { better: 0, worse: 0, noise: 0, unknown: 0 };
  const asSeen = (whole: Required<ComparedRun>): ComparedRun => (hasRival ? whole : { ours: whole.ours });
  for (let pair = 0; pair < pairs; pair++) {
    const [earlier, later] = [run(10_000 + 2 * pair, before), run(10_001 + 2 * pair, after)];
    counts[compareSeries(asSeen(earlier), asSeen(later), options).judgement]++;
  }
  return counts;
}

/** The same rounds as rates: so many a second. */
function toRates({ ours, rival }: Required<ComparedRun>): ComparedRun {
  const invert = (series: ComparedRun['ours']) => series.flat().map((ms) => 1000 / ms);
  return { ours: invert(ours), rival: invert(rival) };
}

test('a planted regression of 5 % is found in at least 95 of 100 runs of 400 rounds', (t) => {
  const counts = judgements(200, {}, fivePercent, lower);
  t.diagnostic(JSON.stringify(counts));
  assert.ok(counts.worse >= 190, JSON.stringify(counts));
  assert.equal(counts.better, 0);
});

test('so is an improvement', (t) => {
  const counts = judgements(200, fivePercent, {}, lower);
  t.diagnostic(JSON.stringify(counts));
  assert.ok(counts.better >= 190, JSON.stringify(counts));
  assert.equal(counts.worse, 0);
});

test('noise is called a change in at most one of a hundred comparisons, also where it drifts for ours and the rival alike', (t) => {
  const worlds: Record<string, World> = {
    'with a walk': { walk: 0.05 },
    'scattered widely': { scatter: 0.3 },
  };
  for (const [label, world] of Object.entries(worlds)) {
    const counts = judgements(500, world, world, lower);
    t.diagnostic(`${label}: ${JSON.stringify(counts)}`);
    assert.ok(counts.noise >= 495, `${label}: ${JSON.stringify(counts)}`);
  }
});

test('a machine that is half as fast for everybody changes nothing', () => {
  const counts = judgements(50, { level: 0 }, { level: 0.7 }, lower);
  assert.ok(counts.noise >= 49, JSON.stringify(counts));
});

test('a drift of ours alone is a change', (t) => {
  const counts = judgements(100, {}, { ramp: 0.2 }, lower);
  t.diagnostic(JSON.stringify(counts));
  assert.ok(counts.worse >= 90, JSON.stringify(counts));
});

test('without a rival a change of 20 % is found on a machine that is as it was, and 5 % is not named', () => {
  const still = { level: 0, slope: 0, wave: 0 };
  assert.ok(judgements(50, still, { ...still, change: Math.log(1.2) }, lower, false).worse >= 49);
  assert.ok(judgements(50, still, { ...still, ...fivePercent }, lower, false).noise >= 49);
  const asked = judgements(50, still, { ...still, ...fivePercent }, { ...lower, smallestEffect: 0.03 }, false);
  assert.ok(asked.worse >= 47, JSON.stringify(asked));
});

test('a rival of one run alone is left out', () => {
  const [before, after] = [run(1), run(2)];
  const { why } = compareSeries({ ours: before.ours }, after, lower);
  assert.match(why, /without a rival in both runs/);
});

test('a change that is certain but smaller than worth naming is noise, and says so', () => {
  const quiet = { scatter: 0.01, slope: 0, wave: 0, spikes: 0 };
  const { judgement, interval, why } = compareSeries(run(1, quiet), run(2, { ...quiet, change: 0.015 }), lower);
  assert.equal(judgement, 'noise');
  assert.ok(interval !== null && interval.low > 1, why);
  assert.match(why, /less than the 3\.0 % worth naming/);
});

test('of throughput the higher is the better', () => {
  const [before, after] = [toRates(run(5)), toRates(run(6, { change: Math.log(1.1) }))];
  const { judgement, ratio } = compareSeries(before, after, { better: 'higher' });
  assert.equal(judgement, 'worse');
  assert.ok(ratio > 0.87 && ratio < 0.95, String(ratio));
  assert.equal(compareSeries(after, before, { better: 'higher' }).judgement, 'better');
});

test('the same samples are noise with a ratio of exactly 1', () => {
  const same = run(3);
  for (const options of [lower, { better: 'higher' }] as const) {
    const { judgement, ratio, interval } = compareSeries(same, same, options);
    assert.equal(judgement, 'noise');
    assert.equal(ratio, 1);
    assert.ok(interval !== null && interval.low <= 1 && interval.high >= 1);
  }
  const constant = { ours: new Array<number>(100).fill(2) };
  assert.equal(compareSeries(constant, constant, lower).ratio, 1);
  const tail = run(3, { blocks: 80 });
  assert.equal(compareSeries(tail, tail, { ...lower, of: 'p99' }).ratio, 1);
});

test('too few samples, samples that are no numbers and none at all are unknown', () => {
  const enough = [2, 2.4, 2.1, 2.6, 2.3, 2.7, 2.2, 2.5];
  assert.equal(enough.length, SAMPLES_LEAST);
  assert.equal(compareSeries({ ours: enough }, { ours: enough }, lower).judgement, 'noise');
  for (const [bad, words] of [
    [[], /0 samples/],
    [enough.slice(1), /7 samples/],
    [[...enough, Number.NaN], /1 samples that are no numbers/],
    [[...enough, 0], /no numbers above 0/],
    [[...enough, -1], /no numbers above 0/],
    [[...enough, Number.POSITIVE_INFINITY], /no numbers above 0/],
  ] as const) {
    for (const comparison of [
      compareSeries({ ours: bad }, { ours: enough }, lower),
      compareSeries({ ours: enough }, { ours: bad }, lower),
      compareSeries({ ours: enough, rival: bad }, { ours: enough, rival: enough }, lower),
    ]) {
      assert.equal(comparison.judgement, 'unknown');
      assert.ok(Number.isNaN(comparison.ratio));
      assert.equal(comparison.interval, null);
      assert.match(comparison.why, words);
    }
  }
});

test('eight samples that lie far apart from eight others are a change', () => {
  const ours = [2, 2.1, 2.2, 2.05, 2.15, 2.25, 2.12, 2.08];
  const slower = { ours: ours.map((ms) => ms * 1.5) };
  assert.equal(compareSeries({ ours }, slower, lower).judgement, 'worse');
});

test('blocks and plain samples in the same order say the same', () => {
  const [before, after] = [run(8), run(9, fivePercent)];
  const plain = ({ ours, rival }: Required<ComparedRun>) => ({ ours: ours.flat(), rival: rival.flat() });
  assert.deepEqual(compareSeries(plain(before), plain(after), lower), compareSeries(before, after, lower));
});

test('a p99 of 400 rounds is unknown; of 2,000 a tail that grew is found and noise is not', (t) => {
  const tail: ComparisonOptions = { better: 'lower', of: 'p99' };
  const [few, many] = [run(1), run(2)];
  assert.equal(compareSeries(few, many, tail).judgement, 'unknown');
  const long = { blocks: 80, spikes: 0 };
  const noise = judgements(60, long, long, tail);
  const grown = judgements(60, long, { ...long, change: Math.log(1.25) }, tail);
  t.diagnostic(`noise ${JSON.stringify(noise)}, 25 % more ${JSON.stringify(grown)}`);
  assert.ok(noise.better + noise.worse === 0, JSON.stringify(noise));
  assert.ok(grown.worse >= 55 && grown.better === 0, JSON.stringify(grown));
});
