/**
 * A run that was disturbed says so, with figures; a quiet one is believed.
 * Never by a clock; the series are simulated from seeds.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Generator } from '../../bench/statistics/generator.ts';
import { judgeNoise, type RunConditions } from '../../bench/statistics/noise.ts';
import { normal } from '../../bench/statistics/simulated-run.ts';

const quiet: RunConditions = { stealShare: 0, loadBefore: 0.1, cores: 2, series: [] };

/** Rounds around 2 ms; `factor` says what happens to each, from 0 to 1 through the run. */
function series(seed: number, scatter: number, factor: (time: number, generator: Generator) => number = () => 1) {
  const generator = new Generator(seed);
  const samples = Array.from(
    { length: 400 },
    (_, round) => 2 * factor(round / 400, generator) * Math.exp(scatter * normal(generator)),
  );
  return [{ label: 'ours', samples }];
}

/** How many of so many seeded series are noisy for a reason like this. */
function found(seeds: number, words: RegExp, of: (seed: number) => RunConditions['series']): number {
  let count = 0;
  for (let seed = 0; seed < seeds; seed++)
    if (judgeNoise({ ...quiet, series: of(seed) }).reasons.some((reason) => words.test(reason))) count++;
  return count;
}

test('a quiet run is believed, spikes and all', () => {
  const spiky = (seed: number) => series(seed, 0.1, (_, generator) => (generator.share() < 0.01 ? 5 : 1));
  assert.equal(found(100, /./, spiky), 0);
  assert.deepEqual(judgeNoise(quiet), { isNoisy: false, reasons: [] });
});

test('steal and strangers make a run noisy, with the figure and the limit', () => {
  const stolen = judgeNoise({ ...quiet, stealShare: 0.034 });
  assert.equal(stolen.isNoisy, true);
  assert.match(stolen.reasons.join(), /3\.4 % of the run's processor time .*limit 1\.0 %/);
  assert.equal(judgeNoise({ ...quiet, stealShare: 0.009 }).isNoisy, false);
  assert.match(judgeNoise({ ...quiet, loadBefore: 3.1 }).reasons.join(), /load of 3\.10 on 2 cores .*limit 1\.00/);
  assert.equal(judgeNoise({ ...quiet, loadBefore: 3.1, cores: 8 }).isNoisy, false);
});

test('a series whose end is not like its beginning drifted', () => {
  assert.ok(found(50, /ours drifted: .* up/, (seed) => series(seed, 0.1, (time) => 1 + 0.2 * time)) >= 48);
  assert.ok(found(50, /ours drifted: .* down/, (seed) => series(seed, 0.1, (time) => 1.2 - 0.2 * time)) >= 48);
  // Certain, and too little to matter.
  assert.equal(
    found(20, /drifted/, (seed) => series(seed, 0.01, (time) => 1 + 0.04 * time)),
    0,
  );
});

test('a p50 that is known badly is said to be', () => {
  assert.ok(
    found(20, /ours scatters: its p50 lies anywhere from .* \(limit 10\.0 %\)/, (seed) => series(seed, 0.6)) >= 19,
  );
});

test('two kinds of rounds are seen where there are two', () => {
  const two = (seed: number) => series(seed, 0.05, (_, generator) => (generator.share() < 0.3 ? 1.5 : 1));
  assert.ok(
    found(50, /ours has two kinds of rounds: .* around (1\.9|2\.0)\d? and .* around (2\.9|3\.[01])\d?/, two) >= 48,
  );
  assert.equal(
    found(50, /two kinds/, (seed) => series(seed, 0.3)),
    0,
  );
});

test('a coarse clock is not two kinds of rounds', () => {
  const coarse = (seed: number) =>
    series(seed, 0.1).map(({ label, samples }) => ({ label, samples: samples.map((ms) => Math.round(ms * 5)) }));
  assert.equal(found(20, /two kinds/, coarse), 0);
});

test('series that are short, empty, below nothing or not of numbers have no say and break nothing', () => {
  const odd = [[], [1], [3, 1, 2], new Array<number>(100).fill(0), new Array<number>(100).fill(Number.NaN)];
  for (const samples of odd)
    assert.deepEqual(judgeNoise({ ...quiet, series: [{ label: 'odd', samples }] }).reasons, []);
  const below = series(1, 0.1).map(({ label, samples }) => ({ label, samples: samples.map((ms) => -ms) }));
  assert.deepEqual(judgeNoise({ ...quiet, series: below }).reasons, []);
});
