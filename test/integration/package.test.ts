/**
 * Owns the proof that the npm package is whole: packed, installed into an empty folder, and every example of docs/sandbox.md,
 * docs/embedding.md, docs/receipts.md and docs/client.md run there with the output that the page shows. Needs root, for the sandboxes.
 * Never publishes anything. Packages come from npm's own cache where it has them.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { DirectoryObjectStore } from '../../shared/storage/directory-object-store.ts';
import { setStage } from '../support/agent-stage.ts';
import { storeBase } from '../support/base-builds.ts';
import { startBuildServices } from '../support/fake-build-services.ts';

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

/** A page's examples that show their output. */
function examplesOf(page: string) {
  const content = readFileSync(join(root, 'docs', page), 'utf8');
  const found = content.matchAll(/```(ts|sh)\n((?:(?!```)[\s\S])*)```\n\n```text\n((?:(?!```)[\s\S])*)```/g);
  return [...found].map(([, language = '', source = '', output = ''], index) => {
    return { name: `example-${index + 1}`, language, source, output };
  });
}

const examples = examplesOf('sandbox.md');
for (const { name, language, source, output } of examples) {
  test(`${name} of docs/sandbox.md, in ${language}, prints what the page shows`, () => {
    const cwd = join(folder, name);
    mkdirSync(cwd);
    writeFileSync(join(cwd, `example.${language}`), source);
    const said = language === 'ts' ? run(cwd, process.execPath, 'example.ts') : run(cwd, 'sh', '-e', 'example.sh');
    assert.equal(said, output);
  });
}

const [embedding, ...others] = examplesOf('embedding.md');
test('the example of docs/embedding.md, beside a builder and a verifier, prints what the page shows and ends', async (t) => {
  assert.ok(embedding !== undefined && others.length === 0);
  const cwd = join(folder, 'embedding');
  mkdirSync(cwd);
  writeFileSync(join(cwd, 'example.ts'), embedding.source);
  const store = new DirectoryObjectStore(join(cwd, 'store'));
  const services = await startBuildServices(cwd, store);
  services.script = await storeBase(store);
  t.after(async () => {
    await Promise.all([services.builder[Symbol.asyncDispose](), services.verifier[Symbol.asyncDispose]()]);
  });
  assert.deepEqual(await runBeside(cwd), [0, embedding.output]);
});

/** Runs the example in a folder, while what it talks to runs in this process; its exit code and output. */
async function runBeside(cwd: string, variables: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, ['example.ts'], {
    ...{ cwd, stdio: ['ignore', 'pipe', 'inherit'], timeout: 60_000, env: { ...process.env, ...variables } },
  });
  const [said, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return [code, said];
}

const clientExamples = examplesOf('client.md');
test('the examples of docs/client.md, beside a coordinator and an agent, print what the page shows and end', async (t) => {
  assert.equal(clientExamples.length, 3);
  const { coordinator, startAgent } = await setStage(t);
  await startAgent();
  for (const { name, source, output } of clientExamples) {
    const cwd = join(folder, `client-${name}`);
    mkdirSync(cwd);
    writeFileSync(join(cwd, 'example.ts'), source);
    assert.deepEqual(await runBeside(cwd, { ENVICUTOR_URL: coordinator.url }), [0, output], name);
  }
});

const [verifying, ...moreVerifying] = examplesOf('receipts.md');
test('the example of docs/receipts.md verifies a receipt with what is in its folder, and nothing of Node behind it', () => {
  assert.ok(verifying !== undefined && moreVerifying.length === 0);
  const cwd = join(folder, 'receipts');
  mkdirSync(cwd);
  const { request, answer, agentKeys, signingKeyIds } = JSON.parse(
    readFileSync(join(root, 'test/vectors/receipts.json'), 'utf8'),
  );
  const given = { 'request.json': request, 'execution.json': answer, 'agent-keys.json': agentKeys };
  for (const [name, value] of Object.entries(given)) writeFileSync(join(cwd, name), JSON.stringify(value));
  writeFileSync(join(cwd, 'signing-key-id'), signingKeyIds.present);
  writeFileSync(join(cwd, 'example.ts'), verifying.source);
  assert.equal(run(cwd, process.execPath, 'example.ts'), verifying.output);
  const library = join(folder, 'node_modules/envicutor/dist/client/typescript/client.js');
  const reached = new Set([library]);
  for (const file of reached) {
    for (const [, target = ''] of readFileSync(file, 'utf8').matchAll(/^(?:import|export)\b[^;]*?from '([^']+)'/gm)) {
      assert.match(target, /^\./, `${file} imports ${target}`);
      reached.add(join(dirname(file), target));
    }
  }
  assert.ok(reached.size > 5);
});

test('the pages have examples for every door, and their types are those of the package', () => {
  const written = examples
    .filter(({ language }) => language === 'ts')
    .map(({ name }) => join(folder, name, 'example.ts'));
  assert.ok(written.length >= 3 && examples.length - written.length >= 2);
  written.push(join(folder, 'embedding', 'example.ts'), join(folder, 'receipts', 'example.ts'));
  written.push(...clientExamples.map(({ name }) => join(folder, `client-${name}`, 'example.ts')));
  const types = ['--typeRoots', join(root, 'node_modules/@types'), '--types', 'node'];
  const strict = ['--noEmit', '--strict', '--target', 'es2024', '--module', 'nodenext'];
  run(folder, process.execPath, join(root, 'node_modules/typescript/bin/tsc'), ...strict, ...types, ...written);
});

test('the package holds what runs and what builds the launcher, and neither sources nor what only a clone needs', () => {
  const installed = join(folder, 'node_modules/envicutor');
  const files = run(installed, 'find', '.', '-type', 'f').split('\n');
  for (const file of [
    './LICENSE',
    './docs/cli.md',
    './docs/client.md',
    './docs/embedding.md',
    './docs/receipts.md',
    './docs/sandbox.md',
    './dist/client/cli/main.js',
    './dist/coordinator/builder/main.js',
    './dist/coordinator/egress/main.js',
    './dist/coordinator/environments/verifier/main.js',
    './ops/environments/python/recipe.json',
    './ops/environments/testlib/files/testlib.h',
    './man/envicutor.1',
    './shared/sandbox/launcher/Makefile',
    './shared/sandbox/launcher/contract.def',
  ])
    assert.ok(files.includes(file), file);
  // Pages and recipes are read as they lie there.
  const readAsTheyAre = /^\.\/(coordinator\/pages\/.+\.(css|html)|ops\/environments\/.+)$/;
  const strange = files.filter(
    (file) =>
      /^\.\/(agent|coordinator|client|ops|test|bench|dist\/(ops|test|bench))\//.test(file) && !readAsTheyAre.test(file),
  );
  assert.deepEqual(strange, []);
});

test("the operator's console is in the package, with its modules compiled and its style and HTML as they are", () => {
  const script = `const { readPage } = await import('./node_modules/envicutor/dist/coordinator/pages/page-files.js');
    const { html, files } = readPage('console', { keyed: 'true', pages: '' });
    console.log(html.includes('/main.js"'), files.has('console/main.js'), files.has('foundation/page.css'), [...files.keys()].some((name) => name.endsWith('.ts')));`;
  assert.equal(run(folder, process.execPath, '--input-type=module', '--eval', script), 'true true true false\n');
});

test('the playground finds its editor where the package is installed', () => {
  const script = `const { readPage } = await import('./node_modules/envicutor/dist/coordinator/pages/page-files.js');
    const { files, firstFiles, importMap } = readPage('playground', { keyed: 'true', pages: '' });
    console.log(files.has('playground/main.js'), firstFiles.includes('packages/codemirror-view.js'), '@codemirror/lang-rust' in JSON.parse(importMap).imports);`;
  assert.equal(run(folder, process.execPath, '--input-type=module', '--eval', script), 'true true true\n');
});
