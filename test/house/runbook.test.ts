/**
 * Owns that whoever is called at night is told nothing that is not there: each word in `code` of ops/RUNBOOK.md and docs/upgrading.md, docs/backup.md,
 * docs/containers.md is a setting, a metric, a log line, an error, a request, a program or a file of the sources. Never checks whether advice is good.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { errorCatalog } from '../../shared/errors.ts';
import { readSources, root } from './sources.ts';

const read = (path: string) => readFileSync(join(root, path), 'utf8');
const pages = ['ops/RUNBOOK.md', 'docs/upgrading.md', 'docs/backup.md', 'docs/containers.md'];
const settings = read('docs/configuration.md');
const api = read('docs/http-api.md');
const metrics = readSources('.ts')
  .filter(({ path }) => path.startsWith('coordinator/metrics'))
  .map(({ text }) => text)
  .join('\n');
const product = readSources('.ts', '.c', '.def')
  .filter(({ path }) => /^(agent|coordinator|shared)\//.test(path))
  .map(({ text }) => text)
  .join('\n');
const tools = ['chmod 600', 'dmesg'];

/** Whether a word in code stands for something that is there. */
function exists(word: string): boolean {
  if (/^ENVICUTOR_[A-Z_]+$/.test(word)) return settings.includes(`\`${word}\``) || knownElsewhere(word);
  if (word.startsWith('envicutor_')) return new RegExp(`\\b${word}\\b`).test(metrics);
  if (/^(GET|POST|PUT|DELETE) \//.test(word)) return api.includes(`\`${word.replace(/:(\w+)/g, '{$1}')}\``);
  if (/^[45]\d\d$/.test(word) || tools.includes(word) || word in errorCatalog) return true;
  if (/^(ops|docs|test|coordinator|agent|shared)\/[\w./-]+$/.test(word)) return existsSync(join(root, word));
  const [program = '', ...more] = word.split(' ');
  if (program === 'node' && more[0] !== undefined) return existsSync(join(root, more[0]));
  if (program === 'make') return new RegExp(`^${more[0]}:`, 'm').test(read('Makefile'));
  if (/^envicutor-[a-z]+$/.test(program)) return isProgram(program);
  if (/^ops\//.test(program)) return existsSync(join(root, program));
  if (/^[a-zA-Z]+$/.test(word) && new RegExp(`\\b${word}\\??:`).test(product)) return true;
  return ["'", '"', '`'].some((mark) => product.includes(`${mark}${word}${mark}`));
}

/** Settings of what is no process of the product: make run's, tests', the release's. */
function knownElsewhere(variable: string): boolean {
  return readSources('.yaml', 'release/main.ts').some(({ text }) => text.includes(variable));
}

function isProgram(name: string): boolean {
  return read('ops/release/programs-of-tarball.ts').includes(`'${name}'`) || name === 'envicutor-launcher';
}

/** Words in code outside blocks. */
const wordsIn = (text: string) =>
  [...text.replace(/```[\s\S]*?```/g, '').matchAll(/`([^`\n]+)`/g)].map(([, word = '']) => word);

test('every word in code of the runbook is something that is there', () => {
  const wrong = wordsIn(read('ops/RUNBOOK.md')).filter(
    (word) => !/^(code|\$\w+|\?tenant=|grep exec_….*)$/.test(word) && !exists(word),
  );
  assert.deepEqual([...new Set(wrong)], []);
  for (const invented of [
    'ENVICUTOR_NO_SUCH',
    'envicutor_no_such',
    'GET /v1/no-such',
    'no line of a log',
    'envicutor-nothing',
    'ops/nothing',
  ])
    assert.ok(!exists(invented), invented);
});

test('settings, programs and files that the pages of operators name are there, in their commands too', () => {
  for (const page of pages) {
    const text = read(page);
    const variables = text.match(/\bENVICUTOR_[A-Z_]*[A-Z]\b/g) ?? [];
    const programs = text.match(/\benvicutor-(?!ids)[a-z]+(?=[ `\n])/g) ?? [];
    const files = text.match(/\b(?:ops|coordinator|test)\/[\w./-]*\w/g) ?? [];
    assert.deepEqual(
      [...new Set(variables)].filter((name) => !exists(name)),
      [],
      page,
    );
    assert.deepEqual(
      [...new Set(programs)].filter((name) => !isProgram(name)),
      [],
      page,
    );
    assert.deepEqual(
      [...new Set(files)].filter((name) => !existsSync(join(root, name)) && !/^ops\/secrets/.test(name)),
      [],
      page,
    );
  }
});

test('the runbook has its symptoms numbered, each with how one sees it, what it means and what to do', () => {
  const symptoms = read('ops/RUNBOOK.md').split(/^### /m).slice(1);
  assert.ok(symptoms.length >= 20);
  symptoms.forEach((symptom, index) => {
    assert.ok(symptom.startsWith(`${index + 1}. `), symptom.slice(0, 60));
    for (const part of ['- **See**', '- **Means**', '- **Do**'])
      assert.ok(symptom.includes(part), `${index + 1} lacks ${part}`);
  });
});
