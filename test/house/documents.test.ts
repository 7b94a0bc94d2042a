/**
 * Owns the truth of the documents: generated ones equal their generators, links lead somewhere, commands exist, shapes are kept.
 * Never checks taste.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { generators } from '../../ops/docs/generators.ts';
import { readSources, root } from './sources.ts';

const documents = readSources('.md');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

for (const [path, generate] of Object.entries(generators)) {
  test(`${path} is what its declarations generate (else: make docs)`, () => {
    assert.equal(read(path), generate());
  });
}

test('every relative link of every document leads to a file, and its fragment to a heading', () => {
  const broken = documents.flatMap(({ path, text }) =>
    [...text.matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g)]
      .map((match) => match[1] ?? '')
      .filter((link) => !leadsSomewhere(path, link))
      .map((link) => `${path}: ${link}`),
  );
  assert.deepEqual(broken, []);
});

function leadsSomewhere(from: string, link: string): boolean {
  const [file = '', fragment] = link.split('#');
  const target = file === '' ? from : join(dirname(from), file);
  if (!existsSync(join(root, target))) return false;
  if (fragment === undefined || !target.endsWith('.md')) return true;
  const headings = [...read(target).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
  return headings.includes(fragment);
}

test('every make target that a document names is in the Makefile, and every target explains itself', () => {
  const targets = new Set([...read('Makefile').matchAll(/^([a-z-]+):.*## /gm)].map((match) => match[1]));
  const phony = /^\.PHONY: (.*)$/m.exec(read('Makefile'))?.[1]?.split(' ') ?? [];
  assert.deepEqual(
    phony.filter((name) => !targets.has(name)),
    [],
  );
  const unknown = documents.flatMap(({ path, text }) =>
    [...text.matchAll(/`make ([a-z-]+)`|^(?:sudo )?make ([a-z-]+)/gm)]
      .map((match) => match[1] ?? match[2])
      .filter((name) => !targets.has(name))
      .map((name) => `${path}: make ${name}`),
  );
  assert.deepEqual(unknown, []);
});

test('the changelog has dated sections, newest first, below the pending one', () => {
  const sections = [...read('CHANGELOG.md').matchAll(/^## (.*)$/gm)].map(([, title = '']) => title);
  assert.equal(sections[0], 'Pending');
  const dates = sections.slice(1).map((title) => /^\d+\.\d+\.\d+ \((\d{4}-\d{2}-\d{2})\)$/.exec(title)?.[1]);
  assert.ok(!dates.includes(undefined), `a section is not "x.y.z (date)": ${sections.join(', ')}`);
  assert.deepEqual(dates, [...dates].sort().reverse());
});

test('every decision is one page, numbered without gaps, and in the index', () => {
  const decisions = documents.filter(({ path }) => path.startsWith('docs/decisions/')).map(({ path }) => path);
  const index = read('docs/README.md');
  decisions.sort().forEach((path, position) => {
    assert.match(path, new RegExp(`/${String(position + 1).padStart(4, '0')}-[a-z0-9-]+\\.md$`));
    assert.ok(read(path).split('\n').length <= 60, `${path} is longer than a page`);
    assert.ok(index.includes(path.slice('docs/'.length)), `docs/README.md doesn't link ${path}`);
  });
});

test('every document is in the index', () => {
  const index = read('docs/README.md');
  const missing = documents
    .filter(({ path }) => /^docs\/[^/]+$/.test(path) && path !== 'docs/README.md')
    .filter(({ path }) => !index.includes(`](${path.slice('docs/'.length)})`))
    .map(({ path }) => path);
  assert.deepEqual(missing, []);
});

test('README stays within 150 lines and ARCHITECTURE within 1500 words', () => {
  assert.ok(read('README.md').split('\n').length <= 150);
  assert.ok(read('ARCHITECTURE.md').split(/\s+/).length <= 1500);
});
