/**
 * Owns the proof that a page says all that a recording says: every question, figure and doubt, and that nothing in a recording becomes markup.
 * Never looks at a page: a browser does in test/integration. Fixtures are made in code, from a seed.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Recording, RecordingError, writeRecording } from '../../bench/recording/recording.ts';
import { recordingToHtml } from '../../bench/report/html.ts';
import { markup, prose } from '../../bench/report/markup.ts';
import { reportCommand } from '../../bench/report/report.ts';
import { shorten, toDecimals, toShown } from '../../bench/report/shown.ts';
import { percentile } from '../../bench/statistics/quantiles.ts';
import { type ReadElement, readMarkup } from '../support/markup-reader.ts';
import { answered, hostile, recordedBench, row } from '../support/recorded-bench.ts';

const read = (recording: Recording) => readMarkup(recordingToHtml(recording));
const textOf = (elements: readonly ReadElement[]) => elements[0]?.text ?? '';
/** What can't be written, as a page shows it. */
const shownOf = (text: string) => text.replaceAll('\u202e', '\ufffd');
const withClass = (elements: readonly ReadElement[], name: string) =>
  elements.filter(({ attributes }) => attributes.get('class')?.split(' ').includes(name));

test('the reader of these tests refuses what is not well-formed', () => {
  for (const wrong of [
    '<p>',
    '<p><b></p></b>',
    '<p a=1></p>',
    '<p>a & b</p>',
    '<p>&nbsp;</p>',
    '<p a="1" a="2"></p>',
    '<p>></p>',
  ])
    assert.throws(() => readMarkup(wrong), assert.AssertionError, wrong);
});

test('a page is well-formed, with every id once', () => {
  const elements = read(recordedBench());
  const ids = elements.map(({ attributes }) => attributes.get('id')).filter((id) => id !== undefined);
  assert.equal(new Set(ids).size, ids.length);
  for (const { attributes } of elements) {
    const targets = [...(attributes.get('aria-labelledby')?.split(' ') ?? []), attributes.get('href')?.slice(1)];
    for (const target of targets) assert.ok(target === undefined || ids.includes(target), target);
  }
});

test('every question, answer, row, goal, note, problem, doubt and rival, there or not, is on the page', () => {
  const recording = recordedBench();
  const text = textOf(read(recording));
  const said = recording.scenarios.flatMap((each) => [
    ...[each.question, each.answer ?? '', each.problem ?? '', ...each.notes, ...each.noise],
    ...each.rows.map(({ label }) => label),
    ...each.goals.flatMap(({ promise, seen }) => [promise, seen]),
    ...each.absent.flatMap(({ name, why }) => [name, why]),
    ...each.rivals.flatMap(({ name, version, source, settings }) => [name, version, source, ...settings]),
    ...each.plots.map(({ title }) => title),
  ]);
  for (const each of said) assert.ok(text.includes(shownOf(each.replaceAll('`', ''))), each);
  for (const each of ['A Processor', '2 cores', 'abc1234+', 'bench run --output of.json', '2026-11-28 03:45'])
    assert.ok(text.includes(each), each);
});

test('a table has the figures that the samples have', () => {
  const rows = [row('theirs', 1.1), row('ours', 2.5, { against: 'theirs' })];
  const elements = read(recordedBench({ scenarios: [answered('one', { rows })] }));
  const cells = elements.filter(({ name }) => name === 'td').map(({ text }) => text);
  const shown = (samples: readonly number[], share: number) => percentile(samples, share).toFixed(2);
  for (const [at, { samples }] of rows.entries()) {
    const line = cells.slice(at * 8, at * 8 + 8);
    assert.equal(line[0], '200');
    assert.deepEqual(
      [line[1], line[3], line[4], line[5]],
      [...[0.5, 0.9, 0.99].map((share) => shown(samples, share)), 'ms'],
    );
  }
  const ratio = percentile(rows[1]?.samples ?? [], 0.5) / percentile(rows[0]?.samples ?? [], 0.5);
  assert.deepEqual(cells.slice(14), [`${ratio.toFixed(2)} ×`, 'theirs']);
  const heads = elements.filter(({ name }) => name === 'th').map(({ attributes }) => attributes.get('scope'));
  assert.deepEqual(heads, [...Array(9).fill('col'), 'row', 'row']);
});

test('rows of one label are all in the table', () => {
  const rows = [row('twice', 1), row('twice', 9)];
  const elements = read(recordedBench({ scenarios: [answered('one', { rows })] }));
  assert.equal(elements.filter(({ attributes }) => attributes.get('scope') === 'row').length, 2);
});

test('a noisy answer says so at the top, at the answer and at every figure', () => {
  const recording = recordedBench();
  const noisy = recording.scenarios.filter(({ name }) => name === 'noisy');
  const elements = read({ ...recording, scenarios: noisy });
  assert.equal(withClass(elements, 'mark').length, 2);
  assert.deepEqual(
    new Set(
      withClass(elements, 'rough')
        .filter(({ name }) => name === 'span')
        .map(({ text }) => text),
    ),
    new Set(['Roughly: It is noisy.']),
  );
  assert.ok(withClass(elements, 'p50').every(({ name, text }) => name !== 'td' || text.startsWith('≈ ')));
  assert.match(textOf(elements), /are not to be quoted/);
  const drawn = withClass(elements, 'figure').filter(({ name }) => name === 'text');
  assert.ok(drawn.length >= 8 && drawn.every(({ text }) => text.startsWith('≈ ')));
  assert.equal(
    elements.filter(({ name, text }) => name === 'figcaption' && text.startsWith('Of a noisy run.')).length,
    2,
  );
  assert.match(textOf(withClass(elements, 'counts')), /1 of 1 goal reached all on a noisy machine/);
  const quiet = read({ ...recording, scenarios: noisy.map((each) => ({ ...each, noise: [] })) });
  assert.doesNotMatch(textOf(withClass(quiet, 'counts')), /noisy/);
  assert.equal(withClass(quiet, 'rough').length, 0);
});

test('quick and interrupted runs say so before the first figure, and whole ones do not', () => {
  assert.equal(withClass(read(recordedBench()), 'banner').length, 0);
  const banners = withClass(read(recordedBench({ isQuick: true, isComplete: false })), 'banner').map(
    ({ text }) => text,
  );
  assert.match(banners[0] ?? '', /^Interrupted\..*what was known by then/);
  assert.match(banners[1] ?? '', /^A quick run\./);
  const empty = read(recordedBench({ isComplete: false, scenarios: [] }));
  assert.match(textOf(withClass(empty, 'banner')), /nothing was answered/);
});

test('what did not finish keeps its rows and says why; a drawing without samples says so', () => {
  const failed = recordedBench().scenarios.filter(({ name }) => name === 'failed');
  const text = textOf(read(recordedBench({ scenarios: failed })));
  assert.match(text, /Did not finish\. the launcher ended early/);
  assert.match(text, /what was taken by then/);
  assert.match(text, /Nothing was measured that could be drawn here/);
});

test('many notes wait until they are asked for, and are all there', () => {
  const notes = Array.from({ length: 9 }, (_, at) => `note ${at}`);
  const elements = read(recordedBench({ scenarios: [answered('one', { notes })] }));
  const [details, summary] = ['details', 'summary'].map(
    (name) => elements.find((each) => each.name === name)?.text ?? '',
  );
  assert.equal(summary, '3 more notes');
  assert.deepEqual(
    notes.map((note) => details?.includes(note)),
    [...Array(6).fill(false), ...Array(3).fill(true)],
  );
  for (const note of notes) assert.ok(textOf(elements).includes(note));
});

test('goals are counted as they were decided', () => {
  const text = textOf(withClass(read(recordedBench()), 'counts'));
  assert.match(text, /5 of 6 questions answered 2 of them noisy/);
  assert.match(text, /2 of 4 goals reached 1 on a noisy machine/);
  assert.match(text, /2 goals not reached 1 on a noisy machine/);
});

test('nothing in a recording becomes an element, an attribute or a way out of one', () => {
  const recording = recordedBench({ command: hostile, commit: hostile });
  const elements = read(recording);
  assert.deepEqual(
    elements.filter(({ name }) => ['script', 'img', 'link', 'iframe', 'object', 'image', 'use'].includes(name)),
    [],
  );
  for (const { attributes } of elements)
    for (const name of attributes.keys()) assert.doesNotMatch(name, /^on|^src|^style$/);
});

test('a page loads nothing, and forbids itself to', () => {
  const html = recordingToHtml(recordedBench());
  const elements = readMarkup(html);
  const policy = elements.find(({ attributes }) => attributes.get('http-equiv') === 'Content-Security-Policy');
  assert.match(policy?.attributes.get('content') ?? '', /^default-src 'none'; style-src 'unsafe-inline'/);
  for (const { attributes } of elements) assert.match(attributes.get('href') ?? '#', /^#/);
  assert.deepEqual(html.replaceAll('http://www.w3.org/2000/svg', '').match(/https?:|url\(|@import/g), null);
});

test('the same recording is the same page', () => {
  assert.equal(recordingToHtml(recordedBench()), recordingToHtml(recordedBench()));
});

test('markup escapes what is not markup; words between backticks are code', () => {
  assert.equal(String(markup`<p>${'<b>"&\''}</p>`), '<p>&lt;b&gt;&quot;&amp;&#39;</p>');
  assert.equal(String(markup`<p>${[markup`<b />`, 2, null]}</p>`), '<p><b />2</p>');
  assert.equal(String(prose('a `<b>` c `d')), 'a <code>&lt;b&gt;</code> c `d');
});

test('figures have the decimals that the typical one needs, and nothing but zero is shown as zero', () => {
  assert.equal(toDecimals([0.12, 2.6, 18]), 2);
  assert.equal(toDecimals([5000, 38000]), 0);
  assert.equal(toDecimals([0.125, 0.32, 0.49, 15, 17.64]), 2);
  assert.deepEqual(
    [-0.731, 1234.5, 0.0042, 0.00015, 0, Number.NaN].map((figure) => toShown(figure, 2)),
    ['−0.73', '1,234.50', '0.0042', '< 0.001', '0.00', '–'],
  );
});

test('labels beside each other lose what all begin and end with', () => {
  assert.deepEqual(shorten(['cpu: ours, the last word', 'cpu: isolate: init, run, the last word']), {
    labels: ['ours', 'isolate: init, run'],
    shared: ['cpu', 'the last word'],
  });
  assert.deepEqual(shorten(['same', 'same']).labels, ['same', 'same']);
  assert.deepEqual(shorten(['alone, with words']).labels, ['alone, with words']);
});

test('the command writes the page beside the recording, or what it is told to, and never over the recording', () => {
  const folder = mkdtempSync(join(tmpdir(), 'envicutor-report-'));
  try {
    const path = join(folder, 'of.json');
    writeRecording(path, recordedBench());
    assert.equal(reportCommand([path]), 0);
    assert.match(readFileSync(join(folder, 'of.html'), 'utf8'), /^<!DOCTYPE html>/);
    const [html, markdown] = [join(folder, 'there/of.html'), join(folder, 'of.md')];
    assert.equal(reportCommand([path, '--html', html, '--markdown', markdown]), 0);
    assert.ok(existsSync(html));
    assert.match(readFileSync(markdown, 'utf8'), /^# Results/);
    for (const args of [[], [path, path], [path, '--html', path], [path, '--html', html, '--markdown', html], [html]])
      assert.throws(() => reportCommand(args), RecordingError, args.join(' '));
    assert.throws(() => reportCommand([path, '--html', join(path, 'below')]), RecordingError);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
