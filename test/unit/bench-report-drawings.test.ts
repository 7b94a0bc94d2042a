/**
 * Owns the proof that drawings are of what was measured: places along axes, knees, whose row is whose, names for who sees nothing.
 * Never compares pictures. Fixtures are made in code, from a seed.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RecordedAnswer } from '../../bench/recording/recording.ts';
import { drawBars } from '../../bench/report/plots/bars.ts';
import { drawCurve, toCurveLines } from '../../bench/report/plots/curve.ts';
import { drawDistribution, hillOf } from '../../bench/report/plots/distribution.ts';
import { kneeOf } from '../../bench/report/plots/knee.ts';
import { scaleOf } from '../../bench/report/plots/scale.ts';
import { drawSplit } from '../../bench/report/plots/split.ts';
import { toSeries } from '../../bench/report/series.ts';
import { percentile } from '../../bench/statistics/quantiles.ts';
import { type ReadElement, readMarkup } from '../support/markup-reader.ts';
import { answered, recordedBench, row, skewedSamples } from '../support/recorded-bench.ts';

const answerOf = (name: string): RecordedAnswer => {
  const found = recordedBench().scenarios.find((each) => each.name === name);
  assert.ok(found !== undefined);
  return found;
};
const numberOf = (element: ReadElement | undefined, name: string) => Number(element?.attributes.get(name));
const ofClass = (elements: readonly ReadElement[], kind: string) =>
  elements.filter(({ attributes }) => attributes.get('class') === kind);

test('a knee is the fewest at once that give nine tenths of the most; a curve that still climbs has none', () => {
  const curve = (...ys: number[]) => kneeOf(ys.map((y, at) => ({ x: 2 ** at, y })))?.x ?? null;
  assert.equal(curve(100, 200, 400, 400, 400), 4);
  assert.equal(curve(100, 200, 380, 400, 390), 4);
  assert.equal(curve(100, 99, 101, 98), 1);
  assert.equal(curve(100, 200, 400, 800), null);
  assert.equal(curve(100, 80, 60), 1);
  assert.equal(curve(100, 100), null);
  assert.equal(curve(), null);
});

test('the knee is ringed at its point, and only where more is better', () => {
  const { rows, plots } = answerOf('throughput');
  const [plot] = plots;
  assert.ok(plot?.kind === 'curve');
  const lines = toCurveLines(plot, toSeries(answered('one', { rows })), true);
  assert.deepEqual(
    lines.map(({ label, isOurs, knee }) => [label, isOurs, knee?.x ?? null]),
    [
      ['envicutor', true, 4],
      ['a rival', false, null],
    ],
  );
  for (const breadth of ['wide', 'narrow'] as const) {
    const elements = readMarkup(String(drawCurve(plot, lines, 'c', breadth)));
    const [ring, ...more] = elements.filter(({ attributes }) => attributes.has('data-knee'));
    assert.deepEqual([ring?.attributes.get('data-knee'), more.length], ['4', 0]);
    const points = ofClass(elements, 'point ours');
    assert.ok(
      points.some(
        (point) => numberOf(point, 'cx') === numberOf(ring, 'cx') && numberOf(point, 'cy') === numberOf(ring, 'cy'),
      ),
    );
    assert.deepEqual(
      ofClass(elements, 'note')
        .map(({ text }) => text)
        .concat(ofClass(elements, 'note end').map(({ text }) => text)),
      ['knee at 4'],
    );
  }
  const less = toCurveLines(plot, toSeries(answered('one', { rows })), false);
  assert.ok(less.every(({ knee }) => knee === null));
});

test('lines of rivals are dashed and their points hollow, ours solid and filled', () => {
  const { rows, plots } = answerOf('throughput');
  const [plot] = plots;
  assert.ok(plot?.kind === 'curve');
  const elements = readMarkup(
    String(drawCurve(plot, toCurveLines(plot, toSeries(answered('one', { rows })), true), 'c', 'wide')),
  );
  assert.equal(ofClass(elements, 'curve ours')[0]?.attributes.has('stroke-dasharray'), false);
  assert.equal(ofClass(elements, 'curve')[0]?.attributes.has('stroke-dasharray'), true);
});

test('a spread has its median and its 99th percentile where they lie on the axis', () => {
  const rows = [row('envicutor', 2.5), row('bare', 1.1)];
  const series = toSeries(answered('one', { rows }));
  const elements = readMarkup(String(drawDistribution('Spread', series, 'd', 'wide')));
  const hills = elements.filter(({ name }) => name === 'path');
  assert.deepEqual(
    hills.map(({ attributes }) => attributes.get('class')),
    ['hill ours', 'hill'],
  );
  const scale = scaleOf(
    rows.flatMap(({ samples }) => samples),
    [2.5, 1.1],
  );
  const dots = elements.filter(({ name }) => name === 'circle').map((dot) => numberOf(dot, 'cx'));
  const far = [...ofClass(elements, 'far ours'), ...ofClass(elements, 'far')].map((line) => numberOf(line, 'x1'));
  const places = [...dots, ...far];
  const shares = [0.5, 0.99].flatMap((share) => rows.map(({ samples }) => scale.toShare(percentile(samples, share))));
  const [left = 0, right = 0] = [places[0], places[2]];
  const width = (right - left) / ((shares[2] ?? 0) - (shares[0] ?? 0));
  for (const [at, place] of places.entries())
    assert.ok(Math.abs(place - left - ((shares[at] ?? 0) - (shares[0] ?? 0)) * width) < 0.5, String(at));
});

test('few samples are drawn one by one, equal ones and none at all as well', () => {
  const series = toSeries(
    answered('one', { rows: [row('few', 1, { samples: [1, 2, 3] }), row('same', 1, { samples: Array(40).fill(7) })] }),
  );
  const elements = readMarkup(String(drawDistribution('Few', series, 'd', 'narrow')));
  assert.equal(ofClass(elements, 'sample ours').length, 3);
  assert.doesNotMatch(String(drawDistribution('Few', series, 'd', 'wide')), /NaN|Infinity|undefined/);
  assert.equal(drawDistribution('None', [], 'd', 'wide'), null);
  assert.equal(drawBars('None', [], 'd', 'wide'), null);
});

test('a hill is highest where samples are most', () => {
  const hill = hillOf(skewedSamples('hill', 500, 0.2));
  const top = hill.find(({ height }) => height === 1);
  assert.ok(top !== undefined && top.share > 0.14 && top.share < 0.23, String(top?.share));
  assert.ok(hill.every(({ height }) => height >= 0 && height <= 1));
});

test('an axis is even for what is near, logarithmic for what is far apart, on both sides of zero if need be', () => {
  assert.equal(scaleOf([10, 12], [11]).kind, 'linear');
  assert.equal(scaleOf([1, 100], [3]).kind, 'logarithmic');
  assert.equal(scaleOf([-0.9, 0, 90], [-0.7, 40]).kind, 'logarithmic on both sides of zero');
  assert.equal(scaleOf([-1, 1], [0]).kind, 'linear');
  for (const figures of [[10, 12], [1, 100], [-0.9, 0, 90], [-1, 1], [0, 0], [5], [0, 1e6], [-3, -2], [1e-9, 1]]) {
    const scale = scaleOf(figures, figures);
    for (const figure of figures)
      assert.ok(scale.toShare(figure) >= 0 && scale.toShare(figure) <= 1, `${figures}: ${figure}`);
    const ticks = scale.ticks(6);
    assert.ok(ticks.length >= 1 && ticks.length <= 8, `${figures}: ${ticks}`);
    assert.deepEqual(
      ticks,
      [...ticks].sort((a, b) => a - b),
    );
  }
  assert.deepEqual(scaleOf([1, 100], [3]).ticks(5), [1, 10, 100]);
});

test('parts are stacked end to end in proportion to their medians, each with its name', () => {
  const { rows, plots } = answerOf('parts');
  const [plot] = plots;
  assert.ok(plot?.kind === 'split');
  const series = toSeries(answered('one', { rows }));
  const elements = readMarkup(String(drawSplit(plot, series, 's', 'wide')));
  const pieces = elements.filter(
    ({ attributes }) => attributes.get('class')?.startsWith('part') && attributes.get('height') === '28',
  );
  const medians = series.flatMap(({ summary }) => (Number.isNaN(summary.p50) ? [] : [summary.p50]));
  assert.equal(pieces.length, medians.length);
  for (const [at, piece] of pieces.entries()) {
    const next = pieces[at + 1];
    if (next !== undefined)
      assert.ok(Math.abs(numberOf(piece, 'x') + numberOf(piece, 'width') + 1.5 - numberOf(next, 'x')) < 0.2);
    const share = (medians[at] ?? 0) / medians.reduce((sum, each) => sum + each, 0);
    assert.ok(Math.abs((numberOf(piece, 'width') + 1.5) / 892 - share) < 0.002);
  }
  for (const part of ['fetch', 'prepare', 'run'])
    assert.ok(
      elements.some(({ name, text }) => name === 'text' && text.startsWith(`${part} `)),
      part,
    );
});

test('a row is ours by its words, unless another is set against it; without any such word, all but known rivals are', () => {
  const ours = (...labels: [string, string | null][]) =>
    toSeries(answered('one', { rows: labels.map(([label, against]) => row(label, 1, { against })) })).map(
      ({ isOurs }) => isOurs,
    );
  assert.deepEqual(
    ours(['bare spawn', null], ['envicutor', 'bare spawn'], ["Node's spawn", 'bare spawn'], ['of which run', null]),
    [false, true, false, true],
  );
  assert.deepEqual(
    ours(
      ['without a kept layer', null],
      ['from the kept layer', 'without a kept layer'],
      ['go-judge, from its store', null],
    ),
    [false, true, false],
  );
});

test('every drawing has a name and says in words what it shows', () => {
  const series = toSeries(answerOf('latency'));
  for (const draw of [drawDistribution, drawBars]) {
    const [svg, title, described] = readMarkup(String(draw('A name', series, 'x', 'wide')));
    assert.equal(svg?.attributes.get('role'), 'img');
    assert.equal(svg?.attributes.get('aria-labelledby'), 'x-t x-d');
    assert.deepEqual([title?.name, title?.text, described?.name], ['title', 'A name', 'desc']);
    for (const { label } of series) assert.ok(described?.text.includes(label.split(',')[0] ?? ''), label);
  }
});
