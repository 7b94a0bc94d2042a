/**
 * Owns law 2: imports point down, third parties have one door each, only composition roots know concrete adapters, and there are no cycles.
 * The tables are the law: a change here is a decision and wants a reason beside it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blankOut, importsOf, readSources, type Source } from './sources.ts';

/** What a room may import besides itself. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  shared: [],
  agent: ['shared'],
  coordinator: ['shared'],
  client: ['shared'],
  // What it starts it asks as anybody would: by the client library.
  ops: ['shared', 'client'],
  bench: ['shared', 'agent', 'coordinator', 'client', 'ops', 'test'],
  test: ['shared', 'agent', 'coordinator', 'client', 'ops', 'bench'],
};

/** Files of another room that are declarations, read by the generators of the documents. */
const readByGenerators = /^ops\/docs\//;

const playgroundEditor = /^coordinator\/pages\/playground\/(editor|editor-look|languages)\.ts$/;
const playgroundLanguages = /^coordinator\/pages\/playground\/languages\.ts$/;

/** Packages that few may import: the doors to the outside. `test/` and `bench/` may open any. */
const doors: Readonly<Record<string, RegExp>> = {
  // Agents' endpoint, agents' side of it, the links between coordinators, terminals, and Piston's protocol, which has a WebSocket of its own.
  ws: /^(coordinator\/(agents\/agent|cluster\/peer|terminals\/terminal|compatibility\/piston\/connect)-gateway|agent\/connection\/connector)\.ts$/,
  minio: /^shared\/storage\/minio-object-store\.ts$/,
  pino: /^shared\/logger\.ts$/,
  // Loading it changes what the process's own fetch goes through; its door takes that back.
  undici: /^shared\/undici\.ts$/,
  // Of layers, of compiled checks, of files that orders name, and of what coordinators remember.
  'lru-cache':
    /^(shared\/layers\/layer-shelf|agent\/judging\/compiled-checks|agent\/files\/agent-files|coordinator\/.+)\.ts$/,
  // One strict server for coordinator and agent, so that the same request is told the same; their routes see its types,
  // and so do those of other protocols, which are as much routes of the coordinator.
  fastify: /^(shared|coordinator)\/http\/|^coordinator\/compatibility\/|^agent\/site\/edge-routes\.ts$/,
  '@fastify/type-provider-typebox': /^shared\/http\//,
  yauzl: /^coordinator\/compatibility\/judge0\/additional-files\.ts$/,
  pg: /^coordinator\/executions\/postgres-[a-z-]+\.ts$/,
  // The editor of the playground, and its languages: nobody else in a page takes anything from others.
  ...Object.fromEntries(
    ['commands', 'language', 'state', 'view'].map((name) => [`@codemirror/${name}`, playgroundEditor]),
  ),
  ...Object.fromEntries(
    ['cpp', 'go', 'java', 'javascript', 'php', 'python', 'rust', 'sql'].map((name) => [
      `@codemirror/lang-${name}`,
      playgroundLanguages,
    ]),
  ),
  '@codemirror/legacy-modes': playgroundLanguages,
  '@lezer/highlight': playgroundEditor,
  'node:sqlite': /sqlite-[a-z-]+\.ts$/,
  // Who embeds the sandbox starts the launcher; nobody else starts anything but the supervisor, the command line that one, and backups PostgreSQL's own programs.
  'node:child_process':
    /^(shared\/sandbox\/launcher-process\.ts|client\/cli\/background-instance\.ts|coordinator\/backup\/postgres-copies\.ts|ops\/)/,
  'node:worker_threads': /^$/,
  'node:cluster': /^$/,
};

/** Adapters are named `<technology>-<port>.ts`. */
const adapter = /\/(sqlite|postgres|directory|minio)-[a-z-]+\.ts$/;
/**
 * Who may know them: composition roots, and adapters of the same technology among themselves. A program's root is its main.ts; what others
 * embed is put together by the file that the package exports, since their programs have no main.ts of ours.
 */
const composition = /(^|\/)main\.ts$|^(agent\/embedded-agent|coordinator\/embedded-coordinator)\.ts$/;

const outside = (path: string) => /^(test|bench)\//.test(path);
const room = (path: string) => path.split('/')[0] ?? '';
const sources = readSources('.ts');

test('imports point down: shared knows nobody, agent and coordinator never meet', () => {
  const wrong = sources.flatMap((source) =>
    importsOf(source)
      .filter(({ target, isOurs }) => isOurs && !isAllowed(source.path, target))
      .map(({ target }) => `${source.path} imports ${target}`),
  );
  assert.deepEqual(wrong, []);
});

function isAllowed(from: string, to: string): boolean {
  if (room(from) === room(to) || readByGenerators.test(from)) return true;
  return mayImport[room(from)]?.includes(room(to)) === true;
}

test('a package with a door is imported by its door only', () => {
  const wrong = sources.flatMap((source) =>
    importsOf(source)
      .filter(({ target, isOurs }) => !isOurs && doors[target]?.test(source.path) === false && !outside(source.path))
      .map(({ target }) => `${source.path} imports ${target}`),
  );
  assert.deepEqual(wrong, []);
});

test('concrete adapters are known to composition roots only', () => {
  const wrong = sources.flatMap((source) =>
    importsOf(source)
      .filter(({ target, isOurs, isTypeOnly }) => isOurs && !isTypeOnly && adapter.test(target))
      .filter(() => !outside(source.path) && !composition.test(source.path) && !adapter.test(source.path))
      .map(({ target }) => `${source.path} imports ${target}`),
  );
  assert.deepEqual(wrong, []);
});

test('every package that is imported is declared, and every declared one is imported', () => {
  const manifest = readSources('package.json').find(({ path }) => path === 'package.json');
  const { dependencies, devDependencies } = JSON.parse(manifest?.text ?? '{}');
  const used = new Map<string, string>();
  for (const source of sources) {
    for (const { target, isOurs } of importsOf(source)) {
      if (!isOurs && !target.startsWith('node:')) used.set(target, source.path);
    }
  }
  const undeclared = [...used].filter(([name, path]) => {
    return dependencies[name] === undefined && !(outside(path) && devDependencies[name] !== undefined);
  });
  assert.deepEqual(undeclared, []);
  assert.deepEqual(
    Object.keys(dependencies).filter((name) => !used.has(name)),
    [],
  );
});

test('the client library, and whatever of ours it reads, runs in a browser: no package, nothing of Node', () => {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const reached = new Set(['client/typescript/client.ts']);
  const wrong: string[] = [];
  for (const path of reached) {
    const source = byPath.get(path);
    assert.ok(source !== undefined, path);
    if (/\b(Buffer|process)\b\./.test(blankOut(source.text))) wrong.push(`${path} uses what only Node has`);
    for (const { target, isOurs, isTypeOnly } of importsOf(source)) {
      if (isTypeOnly) continue;
      if (isOurs) reached.add(target);
      else wrong.push(`${path} imports ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(reached.size > 5);
});

test('pages import nothing at run time but modules of pages and what has a door there, and assign no HTML', () => {
  const modules = sources.filter(({ path }) => pageOf(path) !== undefined);
  assert.ok(modules.length > 10);
  // A page may use what all share, never another page.
  const isOwn = (from: string, to: string) => pageOf(to) === 'foundation' || pageOf(to) === pageOf(from);
  const wrong = modules.flatMap((source) => [
    ...importsOf(source)
      .filter(({ isTypeOnly }) => !isTypeOnly)
      .filter(({ target, isOurs }) => (isOurs ? !isOwn(source.path, target) : doors[target] === undefined))
      .map(({ target }) => `${source.path} imports ${target}`),
    ...(/\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|eval)\b/.test(blankOut(source.text))
      ? [`${source.path} makes elements of text`]
      : []),
  ]);
  assert.deepEqual(wrong, []);
});

const pageOf = (path: string): string | undefined => /^coordinator\/pages\/([a-z-]+)\//.exec(path)?.[1];

test('no module imports itself by way of others', () => {
  const graph = new Map(sources.map((source) => [source.path, valueImports(source)]));
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) cycles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '));
    if (done.has(path) || trail.includes(path)) return;
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  assert.deepEqual(cycles, []);
});

function valueImports(source: Source): string[] {
  return importsOf(source)
    .filter(({ isOurs, isTypeOnly }) => isOurs && !isTypeOnly)
    .map(({ target }) => target);
}
