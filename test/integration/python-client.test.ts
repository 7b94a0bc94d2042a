/**
 * Owns the proof of the Python client (client/python): an sdist is made of it and a wheel of that, the wheel is installed where nothing of the sources is,
 * and its tests (pytest, mypy, ruff) run there beside a coordinator with a real agent, whose cables they may cut and which they may restart.
 * Never publishes anything. Needs root, for the sandboxes.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { createKeyRing } from '../../coordinator/tenants/keys.ts';
import { digestHex, digestOf } from '../../shared/digest.ts';
import type { BuildEvent } from '../../shared/model/build.ts';
import { describeEnvironment } from '../../shared/model/environment-description.ts';
import type { Recipe } from '../../shared/recipes/recipe.ts';
import { setStage } from '../support/agent-stage.ts';
import { storeLayer } from '../support/base-builds.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { CuttableRelay } from '../support/cuttable-relay.ts';
import { pythonPrograms } from '../support/python-packages.ts';
import { tarOf } from '../support/tar-pieces.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const project = join(root, 'client/python');
const folder = mkdtempSync(join(tmpdir(), 'envicutor-python-'));
after(() => rmSync(folder, { recursive: true }));

const KEY = 'a-key-of-tenant-one';
/** Python of an environment that has the package as it would be published, and the tools. */
const python = join(folder, 'environment/bin/python');
const options = { cwd: folder, timeout: 120_000, maxBuffer: 1 << 26 };
let tools = '';

/** Runs a program to its end; one that fails shows what it said. */
async function runTool(command: string, words: readonly string[], more: object = {}): Promise<string> {
  const { stdout } = await run(command, words, { ...options, ...more }).catch((error) =>
    assert.fail(`${command} ${words.join(' ')}\n${error.stdout}\n${error.stderr}`),
  );
  return stdout;
}

before(async () => {
  const programs = await pythonPrograms('python-client-checkers.txt');
  tools = join(programs, 'python');
  await runTool(tools, ['-m', 'hatchling', 'build', '-t', 'sdist', '-d', folder], { cwd: project });
  const sdist = readdirSync(folder).find((name) => name.endsWith('.tar.gz')) ?? '';
  const pip = ['-m', 'pip', '--disable-pip-version-check', '--no-input'];
  await runTool(tools, [...pip, 'wheel', '--quiet', '--no-deps', '--no-build-isolation', '--no-index', sdist]);
  const wheel = readdirSync(folder).find((name) => name.endsWith('.whl')) ?? '';
  await runTool(tools, ['-m', 'venv', '--without-pip', 'environment']);
  const places = ['-c', 'import sysconfig; print(sysconfig.get_path("purelib"))'];
  const [shared = '', own = ''] = await Promise.all([runTool(tools, places), runTool(python, places)]);
  writeFileSync(join(own.trim(), 'tools.pth'), shared);
  await runTool(tools, [...pip, '--python', python, 'install', '--quiet', '--no-deps', '--no-index', wheel]);
});

test('the wheel has the package with its types, its licence, httpx as all that it needs, and no tests', async () => {
  const wheel = readdirSync(folder).find((name) => name.endsWith('.whl')) ?? '';
  const names = JSON.parse(
    await runTool(tools, [
      '-c',
      'import json, sys, zipfile; print(json.dumps(zipfile.ZipFile(sys.argv[1]).namelist()))',
      wheel,
    ]),
  ) as string[];
  assert.ok(names.includes('envicutor/py.typed') && names.includes('envicutor/models/execution.py'), names.join('\n'));
  assert.deepEqual(
    names.filter((name) => !/^envicutor(-[\d.]+\.dist-info)?\//.test(name) || /test/.test(name)),
    [],
  );
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const facts = `import json, importlib.metadata as m; d = m.metadata('envicutor'); print(json.dumps([d['Version'], d.get_all('Requires-Dist')]))`;
  const [version, needs] = JSON.parse(await runTool(python, ['-c', facts])) as [string, string[]];
  assert.equal(version, manifest.version);
  assert.deepEqual(needs.sort(), ["cryptography>=42; extra == 'receipts'", 'httpx<1,>=0.27']);
  const licence = names.find((name) => name.endsWith('/LICENSE')) ?? '';
  assert.equal(
    await runTool(tools, [
      '-c',
      'import sys, zipfile; sys.stdout.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]).decode())',
      wheel,
      licence,
    ]),
    readFileSync(join(root, 'LICENSE'), 'utf8'),
  );
});

const base = { base: 'debian-13' as const };
/** One whose environment is there already. */
const recipe: Recipe = {
  ...{ name: 'bash', title: 'A shell', language: 'bash', version: '0', aliases: ['sh'], extensions: ['.sh'] },
  ...{ main: 'main.sh', environment: base, environmentId: describeEnvironment(base, null).id },
  compile: { script: 'echo "$COMPILER_OPTIONS" > options', variables: { MAIN: 'main.sh' } },
  run: { script: 'sh "$MAIN" "$@"; cat options', variables: { MAIN: 'main.sh' }, limits: { processes: 20 } },
  example: { files: [{ path: 'main.sh', content: 'echo hello' }], stdin: '', stdout: 'hello\n' },
};

/** What tests of the client may do to its server from outside, over HTTP. */
async function serveControl(t: TestContext, actions: Readonly<Record<string, () => unknown>>): Promise<string> {
  const server = createServer((request, response) => {
    const action = actions[(request.url ?? '/').slice(1)];
    Promise.resolve(action?.()).then(
      (told) => response.writeHead(action === undefined ? 404 : 200).end(JSON.stringify(told ?? null)),
      (error) => response.writeHead(500).end(String(error)),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("the client's own tests, types and style hold, beside a coordinator and an agent", {
  timeout: 400_000,
}, async (t) => {
  const stage = await setStage(t, null, {}, null, { recipes: [recipe] });
  await stage.startAgent();
  const { coordinator } = stage;
  const layer = await storeLayer(coordinator.store, tarOf({ name: 'made', body: Buffer.from('by setup') }));
  const buildBase = coordinator.services.script;
  coordinator.services.script = async (order) => {
    if (order.kind === 'base') return buildBase(order);
    const ended = (await layer(order)) as readonly BuildEvent[];
    return [{ type: 'log', stream: 'stdout', text: `building ${order.kind}\n` }, ...ended];
  };
  const port = Number(new URL(coordinator.url).port);
  const relay = await CuttableRelay.open(port);
  t.after(() => relay.close());
  const ring = createKeyRing({ tenants: [{ id: 'one', keys: [{ name: 'first', sha256: digestHex(digestOf(KEY)) }] }] });
  const keyed = await startCoordinator(t, {}, ring);
  const control = await serveControl(t, {
    cut() {
      relay.cut();
      relay.mend();
    },
    restart: () => coordinator.restart(port),
    'signing-keys': async () => {
      const { keys } = (await (await coordinator.ask('GET', '/v1/cache/keys')).json()) as { keys: { keyid: string }[] };
      return keys.map(({ keyid }) => keyid);
    },
  });
  const env = {
    ...{ PATH: process.env['PATH'], HOME: folder, LANG: 'C.UTF-8', PYTHONDONTWRITEBYTECODE: '1' },
    ENVICUTOR_TEST_URL: coordinator.url,
    ENVICUTOR_TEST_RELAY_URL: `http://127.0.0.1:${relay.port}`,
    ENVICUTOR_TEST_KEYED_URL: keyed.url,
    ENVICUTOR_TEST_KEY: KEY,
    ENVICUTOR_TEST_CONTROL_URL: control,
  };
  const words = ['-m', 'pytest', '-q', '--durations=5', ...(process.env['ENVICUTOR_TEST_PYTEST']?.split(' ') ?? [])];
  const said = await runTool(python, words, { cwd: project, env, timeout: 360_000 });
  t.diagnostic(said.trimEnd().split('\n').slice(-8).join('\n'));
  assert.match(said, /^\d+ passed in /m);
  const where = await runTool(python, ['-c', 'import envicutor; print(envicutor.__file__)'], { env });
  assert.ok(where.startsWith(dirname(dirname(python))), where);
});
