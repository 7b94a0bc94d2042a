/**
 * Owns the proof that a report reads well in a real browser: Debian's Chromium, as wide as a phone and as a desk, in light and in dark colours.
 * Never compares pictures; it asks the page for its sizes and colours. Needs no root.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { recordingToHtml } from '../../bench/report/html.ts';
import { type ChromiumPage, openPage } from '../support/chromium.ts';
import { dullTexts } from '../support/dull-texts.ts';
import { answered, hostile, recordedBench, row } from '../support/recorded-bench.ts';

/** The smallest letters of a drawing, in pixels as they are shown. */
const LETTERS_LEAST = 11;

const endings: (() => unknown)[] = [];
let page: ChromiumPage;
let url: string;

const long = 'a-word-that-has-no-place-to-break-and-goes-on-and-on-'.repeat(6);
const recording = recordedBench({ isQuick: true, isComplete: false, command: `bench run ${long}` });

before(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'envicutor-report-'));
  endings.unshift(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'of.html');
  const wide = answered('wide', {
    ...{
      question: long,
      answer: long,
      problem: long,
      notes: [long],
      noise: [long],
      absent: [{ name: long, why: long }],
    },
    goals: [{ promise: long, seen: long, isReached: true }],
    rows: [row(`envicutor ${long}`, 12_345_678), row(long, 3, { unit: long })],
    plots: [{ kind: 'bars', title: long, rows: [`envicutor ${long}`, long] }],
  });
  writeFileSync(file, recordingToHtml({ ...recording, scenarios: [...recording.scenarios, wide] }));
  url = pathToFileURL(file).href;
  page = await openPage({ after: (ending) => endings.unshift(ending) }, 'about:blank');
});
after(async () => {
  for (const end of endings) await end();
});

for (const width of [390, 1280])
  for (const colours of ['light', 'dark'] as const)
    test(`a report fits ${width} pixels in ${colours} colours, asks for nothing, complains of nothing`, async () => {
      const { asked, said } = await page.listen();
      await page.prefer(width, colours);
      await page.open(url);
      const [wide, window] = await page.evaluate<[number, number]>(
        '[document.documentElement.scrollWidth, innerWidth]',
      );
      assert.equal(window, width);
      assert.ok(wide <= window, `${wide} of ${window}`);
      assert.deepEqual(new Set(asked), new Set([url]));
      assert.deepEqual(said, []);
      assert.equal(await page.evaluate('performance.getEntriesByType("resource").length'), 0);
      const ground = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
      const isDark = (/\d+/.exec(ground)?.[0] ?? '').length < 3;
      assert.equal(isDark, colours === 'dark', ground);
      assert.deepEqual(await page.evaluate(dullTexts), []);
    });

test('drawings have one size for each width, and letters that can be read', async () => {
  for (const [width, kind] of [
    [390, 'narrow'],
    [1280, 'wide'],
  ] as const) {
    await page.prefer(width, 'light');
    await page.open(url);
    const shown = await page.evaluate<[string, number][]>(`[...document.querySelectorAll('svg')]
      .filter((each) => each.getClientRects().length > 0)
      .map((each) => [each.classList[1], 12.5 * each.getBoundingClientRect().width / each.viewBox.baseVal.width])`);
    assert.ok(shown.length > 5);
    for (const [which, letters] of shown) {
      assert.equal(which, kind);
      assert.ok(letters >= LETTERS_LEAST, `${letters} pixels`);
    }
  }
});

test('nothing is drawn outside of its picture', async () => {
  for (const width of [390, 1280]) {
    await page.prefer(width, 'light');
    await page.open(url);
    const outside = await page.evaluate(`[...document.querySelectorAll('svg')]
      .filter((svg) => svg.getClientRects().length > 0 && !svg.querySelector('title').textContent.includes('script') && !svg.querySelector('title').textContent.includes('no-place'))
      .flatMap((svg) => [...svg.querySelectorAll('text, path, rect, circle')].map((each) => {
        const [inner, outer] = [each.getBoundingClientRect(), svg.getBoundingClientRect()];
        return [each.textContent || each.getAttribute('class'), Math.round(outer.left - inner.left), Math.round(inner.right - outer.right), Math.round(outer.top - inner.top), Math.round(inner.bottom - outer.bottom)];
      }))
      .filter(([, ...over]) => over.some((each) => each > 1))`);
    assert.deepEqual(outside, [], `${width}`);
  }
});

test('a browser reads the page as XML, and what a recording says stays text', async () => {
  await page.open(url);
  const html = JSON.stringify(recordingToHtml(recording));
  const parsed = `new DOMParser().parseFromString(${html}, 'application/xhtml+xml')`;
  assert.equal(await page.evaluate(`${parsed}.querySelectorAll('parsererror').length`), 0);
  assert.equal(await page.evaluate(`document.querySelectorAll('script, img, iframe, object, link').length`), 0);
  const questions = await page.evaluate<string[]>(
    `[...document.querySelectorAll('main h2')].map((each) => each.textContent)`,
  );
  assert.ok(questions.some((each) => each.startsWith(hostile.replace('\u202e', '\ufffd'))));
});
