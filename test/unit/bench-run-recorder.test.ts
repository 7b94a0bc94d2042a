/**
 * What of a run is on disk after each answer: the answer, or why there is none; whether it is whole; and doubts about what is drawn.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readRecording } from '../../bench/recording/recording.ts';
import { RunRecorder } from '../../bench/recording/run-recorder.ts';
import type { Scenario, ScenarioResult } from '../../bench/scenario.ts';
import { summarise } from '../../bench/statistics/quantiles.ts';

const folder = mkdtempSync(join(tmpdir(), 'envicutor-recorder-'));
after(() => rmSync(folder, { recursive: true }));

const scenario = { name: 'some', question: 'What?' } as Scenario;
const [ours, theirs] = [summarise([1, 2, 3]), summarise([2, 4, 6])];
const result: ScenarioResult = {
  answer: 'It is 2 ms.',
  rows: [
    { label: 'theirs', summary: theirs },
    { label: 'ours', summary: ours, against: theirs },
    { label: 'rate', summary: summarise([5]), unit: 'runs/s' },
  ],
};

async function recorded(...results: readonly (() => Promise<ScenarioResult>)[]) {
  const path = join(folder, `${Math.trunc(performance.now() * 1000)}.json`);
  const recorder = new RunRecorder(path, 'bench run some', false);
  for (const run of results) await recorder.answer(scenario, run);
  return { recorder, read: () => readRecording(path) };
}

test('an answer is on disk with every sample, its unit and its rival, before the run is complete', async () => {
  const { recorder, read } = await recorded(async () => result);
  const [answer] = read().scenarios;
  assert.deepEqual(
    answer?.rows.map(({ label, unit, against, samples }) => [label, unit, against, samples]),
    [
      ['theirs', 'ms', null, [2, 4, 6]],
      ['ours', 'ms', 'theirs', [1, 2, 3]],
      ['rate', 'runs/s', null, [5]],
    ],
  );
  assert.deepEqual([answer.answer, answer.problem, answer.better], ['It is 2 ms.', null, 'lower']);
  assert.equal(read().isComplete, false);
  recorder.complete();
  assert.equal(read().isComplete, true);
});

test('a scenario that breaks, or whose rows do not fit each other, says why in its place, and the next one is kept', async () => {
  const stranger: ScenarioResult = { ...result, rows: [{ label: 'ours', summary: ours, against: summarise([1]) }] };
  const { read } = await recorded(
    () => Promise.reject(new Error('the rival is gone')),
    async () => stranger,
    async () => result,
  );
  assert.deepEqual(
    read().scenarios.map(({ answer, problem }) => [answer, problem]),
    [
      [null, 'the rival is gone'],
      [null, "'ours' is set against a series that is no row"],
      ['It is 2 ms.', null],
    ],
  );
});

test('rates are better when they are higher, and only rows that are drawn raise doubts', async () => {
  // Rises by half: drifted by any standard.
  const rising = summarise(Array.from({ length: 400 }, (_, round) => 1 + round / 800));
  const steady = summarise(Array.from({ length: 400 }, (_, round) => 1 + (round % 7) / 1000));
  const rows = [
    { label: 'rising', summary: rising },
    { label: 'steady', summary: steady },
  ];
  const drawing = (label: string) => [{ kind: 'distribution' as const, title: 'All', rows: [label] }];
  const { read } = await recorded(
    async () => ({ answer: '', unit: 'runs/s', rows, plots: drawing('steady') }),
    async () => ({ answer: '', unit: 'runs/s', rows, plots: drawing('rising') }),
  );
  const [quiet, noisy] = read().scenarios;
  assert.equal(quiet?.better, 'higher');
  assert.ok(!quiet.noise.some((reason) => reason.includes('rising')), quiet.noise.join('\n'));
  assert.ok(
    noisy?.noise.some((reason) => reason.includes('rising drifted')),
    noisy?.noise.join('\n'),
  );
});
