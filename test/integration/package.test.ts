/**
 * Owns the proof that the npm package is whole: packed, installed into an empty folder, and every example of docs/sandbox.md run there
 * with the output that the page shows. Needs root, for the sandboxes.
 * Never publishes anything. Packages come from npm's own cache where it has them.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'envicutor-package-'));
const PATH = [join(folder, 'node_modules/.bin'), dirname(process.execPath), process.env['PATH']].join(':');
after(() => rmSync(folder, { recursive: true }));

/** Runs a program to its end in `cwd` and gives its standard output; an exit code but 0 is a failed test that shows what it said. */
function run(cwd: string, command: string, ...words: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, words, {
    ...{ cwd, env: { ...process.env, PATH }, encoding: 'utf8', timeout: 240_000 },
  });
  assert.equal(status, 0, `${command} ${words.join(' ')}: ${error ?? ''}\n${stdout}\n${stderr}`);
  return stdout;
}

before(() => {
  const [packed] = JSON.parse(run(root, 'npm', 'pack', '--json', '--silent', '--pack-destination', folder));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  run(
    folder,
    'npm',
    'install',
    '--prefer-offline',
    '--omit=optional',
    '--no-audit',
    '--no-fund',
    `./${packed.filename}`,
  );
});

/** The page's examples that show their output. */
const page = readFileSync(join(root, 'docs/sandbox.md'), 'utf8');
const examples = [...page.matchAll(/```(ts|sh)\n((?:(?!```)[\s\S])*)```\n\n```text\n((?:(?!```)[\s\S])*)```/g)].map(
  ([, language = '', source = '', output = ''], index) => ({ name: `example-${index + 1}`, language, source, output }),
);

for (const { name, language, source, output } of examples) {
  test(`${name} of docs/sandbox.md, in ${language}, prints what the page shows`, () => {
    const cwd = join(folder, name);
    mkdirSync(cwd);
    writeFileSync(join(cwd, `example.${language}`), source);
    const said = language === 'ts' ? run(cwd, process.execPath, 'example.ts') : run(cwd, 'sh', '-e', 'example.sh');
    assert.equal(said, output);
  });
}

test('the page has examples for both doors, and their types are those of the package', () => {
  const written = examples
    .filter(({ language }) => language === 'ts')
    .map(({ name }) => join(folder, name, 'example.ts'));
  assert.ok(written.length >= 3 && examples.length - written.length >= 2);
  const types = ['--typeRoots', join(root, 'node_modules/@types'), '--types', 'node'];
  const strict = ['--noEmit', '--strict', '--target', 'es2024', '--module', 'nodenext'];
  run(folder, process.execPath, join(root, 'node_modules/typescript/bin/tsc'), ...strict, ...types, ...written);
});

test('the package holds what runs and what builds the launcher, and nothing of the services', () => {
  const installed = join(folder, 'node_modules/envicutor');
  const files = run(installed, 'find', '.', '-type', 'f').split('\n');
  for (const file of [
    './LICENSE',
    './docs/sandbox.md',
    './shared/sandbox/launcher/Makefile',
    './shared/sandbox/launcher/contract.def',
  ])
    assert.ok(files.includes(file), file);
  const strange = files.filter((file) =>
    /^\.\/(agent|coordinator|ops|test|dist\/(agent|coordinator|ops|test|bench))\//.test(file),
  );
  assert.deepEqual(strange, []);
});
