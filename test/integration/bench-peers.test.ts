/**
 * Owns the proof that rivals of the benchmarks get here by their installers on a clean tree and do a `true` in a sandbox, or say in one sentence why not; that a
 * killed installer leaves nothing that the next one believes; and that a rival which fails in the middle says so in one sentence.
 * Never measures: no figure is looked at. Needs root and what `apt-get download` needs.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { describe as describePresence, findRivals, rivals } from '../../bench/peers/catalogue.ts';
import { goJudge } from '../../bench/peers/go-judge.ts';
import { admit, PeerFailure, WatchedContender } from '../../bench/peers/peer.ts';
import { TimedCommand } from '../../bench/peers/timed-command.ts';

const peers = new URL('../../bench/peers/', import.meta.url).pathname;
const programs = ['bwrap', 'go-judge', 'isolate', 'nsjail', 'runc', 'crun', 'docker'];

/** This machine's programs but for the rivals, and apart from them what fetches rivals. */
const links = mkdtempSync(join(tmpdir(), 'envicutor-test-path-'));
const machine = { others: join(links, 'others'), fetchers: join(links, 'fetchers') };
after(() => rmSync(links, { recursive: true, force: true }));

before(() => {
  mkdirSync(machine.others);
  mkdirSync(machine.fetchers);
  const left = new Set(programs);
  for (const from of (process.env['PATH'] ?? '').split(':').filter((each) => existsSync(each))) {
    for (const name of readdirSync(from)) {
      if (left.has(name)) continue;
      left.add(name);
      symlinkSync(join(from, name), join(['apt-get', 'go'].includes(name) ? machine.fetchers : machine.others, name));
    }
  }
});

interface CleanTree {
  readonly folder: string;
  readonly kept: string;
  readonly variables: Readonly<Record<string, string>>;
  /** The same without apt-get and Go, and with the programs of a folder of the test's own. */
  readonly offline: Readonly<Record<string, string>>;
  readonly programs: string;
}

/** An empty cache, and a PATH on which no rival is. */
function setCleanTree(context: TestContext): CleanTree {
  const folder = mkdtempSync(join(tmpdir(), 'envicutor-test-peers-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const own = join(folder, 'programs');
  mkdirSync(own);
  const cache = join(folder, 'cache');
  const variables = { HOME: process.env['HOME'] ?? '/', XDG_CACHE_HOME: cache };
  return {
    ...{ folder, kept: join(cache, 'envicutor/peers'), programs: own },
    variables: { ...variables, PATH: `${machine.fetchers}:${machine.others}` },
    offline: { ...variables, PATH: `${own}:${machine.others}` },
  };
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function begin(name: string, env: Readonly<Record<string, string>>): ChildProcess {
  return spawn(join(peers, `${name}.sh`), { env, stdio: ['ignore', 'pipe', 'pipe'] });
}

async function install(name: string, env: Readonly<Record<string, string>>): Promise<Ended> {
  const child = begin(name, env);
  const said = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk) => (said.stdout += chunk));
  child.stderr?.on('data', (chunk) => (said.stderr += chunk));
  const [code] = await once(child, 'close');
  return { code, ...said };
}

/** What a rival could leave on this machine outside its own folder. */
function traces(name: string): string[] {
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  const own = (each: string) => each.startsWith(`envicutor-peer-${name}`);
  const groups = mounts
    .map((line) => line.split(' '))
    .filter(([, , kind]) => kind === 'cgroup' || kind === 'cgroup2')
    .flatMap(([, place = '']) => readdirSync(place).filter(own));
  const engines = ['/etc/docker', '/opt/containerd', '/run/containerd', '/run/docker', '/run/crun', '/run/runc'].filter(
    (each) => existsSync(each),
  );
  const mounted = mounts.filter((line) => /envicutor-(peer|test-peers)|docker|containerd/.test(line));
  return [...groups, ...readdirSync(tmpdir()).filter(own), ...engines, ...mounted];
}

for (const rival of rivals.filter(({ name }) => name !== 'node-spawn')) {
  const { name } = rival;
  test(`on a clean tree ${name} is fetched, kept and does a true in a sandbox, or says in one sentence why not`, {
    timeout: 700_000,
  }, async (context) => {
    const tree = setCleanTree(context);
    const tracesBefore = traces(name);
    const first = await install(name, tree.variables);
    if (first.code !== 0) {
      assert.match(first.stderr, new RegExp(`^${name}: [^\\n]{10,}\\n$`), 'one sentence');
      assert.equal(first.stdout, '');
      assert.ok(!existsSync(join(tree.kept, name)));
      assert.deepEqual(unfinished(tree), []);
      context.diagnostic(first.stderr.trim());
      return;
    }
    assert.match(first.stdout, /^\/[^\n]+\n$/, 'its path is the only line');
    assert.ok(first.stdout.startsWith(`${join(tree.kept, name)}/`), first.stdout);
    assert.deepEqual(unfinished(tree), []);
    const offline = await install(name, tree.offline);
    assert.deepEqual([offline.code, offline.stdout], [0, first.stdout], 'the second takes what the first has kept');

    const admitted = await admit(rival, tree.variables);
    assert.ok('contender' in admitted, describePresence(admitted));
    const { present, contender } = admitted;
    try {
      assert.match(present.source, /^(debian package|go module) /);
      assert.match(present.version, /\d+\.\d+/);
      assert.ok(present.settings.length > 0);
      assert.ok((await contender.round(['/bin/true'])) > 0);
      await assert.rejects(contender.round(['/bin/sh', '-c', 'exit 3']), isSentence(name));
      assert.ok((await contender.round(['/bin/true'])) > 0, 'a program that fails is not the end of the rival');
    } finally {
      await contender.stop();
    }
    assert.deepEqual(traces(name), tracesBefore);
  });
}

function unfinished({ kept }: CleanTree): string[] {
  return existsSync(kept) ? readdirSync(kept).filter((name) => name.includes('unfinished')) : [];
}

function isSentence(name: string, ...parts: readonly RegExp[]) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof PeerFailure, String(error));
    assert.equal(error.peer, name);
    assert.match(error.message, new RegExp(`^${name}: [^\\n]+$`));
    for (const part of parts) assert.match(error.message, part);
    return true;
  };
}

/** An apt-get that says that it was asked, brings a package whose bwrap is a script, and never ends while the file `stuck` is there. */
async function setFakeApt(tree: CleanTree): Promise<{ env: Readonly<Record<string, string>>; asked(): string[] }> {
  const { folder } = tree;
  const made = join(folder, 'package');
  mkdirSync(join(made, 'DEBIAN'), { recursive: true });
  mkdirSync(join(made, 'usr/bin'), { recursive: true });
  const control =
    'Package: bubblewrap\nVersion: 9.9-1\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDescription: x\n';
  writeFileSync(join(made, 'DEBIAN/control'), control);
  writeFileSync(join(made, 'usr/bin/bwrap'), '#!/bin/sh\necho whole\n', { mode: 0o755 });
  const deb = join(folder, 'bubblewrap.deb');
  const [built] = await once(spawn('dpkg-deb', ['--build', made, deb], { stdio: 'ignore' }), 'exit');
  assert.equal(built, 0);
  const script = `#!/bin/sh
head -c 200 ${deb} > bubblewrap_9.9_all.deb
echo $$ >> ${folder}/asked
[ -e ${folder}/stuck ] && exec sleep 300
cp ${deb} bubblewrap_9.9_all.deb
`;
  writeFileSync(join(tree.programs, 'apt-get'), script, { mode: 0o755 });
  const asked = () =>
    existsSync(join(folder, 'asked')) ? readFileSync(join(folder, 'asked'), 'utf8').trim().split('\n') : [];
  return { env: tree.offline, asked };
}

test('an installer that is killed half-way leaves nothing that the next one believes, and does not hold it up', {
  timeout: 60_000,
}, async (context) => {
  const tree = setCleanTree(context);
  const { env, asked } = await setFakeApt(tree);
  writeFileSync(join(tree.folder, 'stuck'), '');
  const first = begin('bubblewrap', env);
  while (asked().length === 0) await pause(10);
  first.kill('SIGKILL');
  await once(first, 'exit');
  rmSync(join(tree.folder, 'stuck'));
  try {
    assert.equal(unfinished(tree).length, 1, 'the first was in its middle');
    const second = await install('bubblewrap', env);
    assert.deepEqual([second.code, second.stderr], [0, '']);
    assert.equal(readFileSync(second.stdout.trim(), 'utf8'), '#!/bin/sh\necho whole\n');
    assert.deepEqual(unfinished(tree), []);
  } finally {
    process.kill(Number(asked()[0]), 'SIGKILL');
  }
});

test('a kept folder without its program is fetched anew', async (context) => {
  const tree = setCleanTree(context);
  const { env, asked } = await setFakeApt(tree);
  mkdirSync(join(tree.kept, 'bubblewrap/usr/bin/bwrap'), { recursive: true });
  const { code, stdout } = await install('bubblewrap', env);
  assert.equal(code, 0);
  assert.equal(readFileSync(stdout.trim(), 'utf8'), '#!/bin/sh\necho whole\n');
  assert.equal(asked().length, 1);
});

test('two installers at once fetch once, and both name the same program', async (context) => {
  const tree = setCleanTree(context);
  const { env, asked } = await setFakeApt(tree);
  const [one, other] = await Promise.all([install('bubblewrap', env), install('bubblewrap', env)]);
  assert.deepEqual([one?.code, other?.code], [0, 0]);
  assert.equal(one?.stdout, other?.stdout);
  assert.equal(asked().length, 1);
});

test('the catalogue lists every rival, those that cannot be had as absent with why', async (context) => {
  const tree = setCleanTree(context);
  const found = findRivals(tree.offline);
  const lines = found.map(describePresence);
  assert.deepEqual(
    found.map((each) => ('absent' in each ? each.absent.name : each.present.name)),
    ['node-spawn', 'bubblewrap', 'go-judge', 'isolate', 'nsjail', 'runc', 'crun', 'docker'],
  );
  assert.match(lines[0] ?? '', /^node-spawn: v24/);
  for (const line of lines.slice(1)) assert.match(line, /^[a-z-]+: absent: there is no (apt-get|Go) here[^\n]+$/);
});

test('a command that crashes half-way gives one sentence; the rounds before it count, and the next is tried', async (context) => {
  const { folder } = setCleanTree(context);
  const script = join(folder, 'rival');
  // The third run breaks, the fifth is killed, the sixth hangs.
  const body = `#!/bin/sh
echo x >> ${folder}/runs
case $(wc -l < ${folder}/runs) in
  3) echo 'first words' >&2; echo 'no luck any more' >&2; exit 7 ;;
  5) kill -9 $$ ;;
  6) echo $$ > ${folder}/hanging; exec sleep 300 ;;
esac
`;
  writeFileSync(script, body, { mode: 0o755 });
  const contender = new WatchedContender('rival', new TimedCommand({}, (argv) => [script, ...argv]), 1500);
  try {
    for (let round = 0; round < 2; round++) assert.ok((await contender.round(['x'])) > 0);
    await assert.rejects(
      contender.round(['x']),
      isSentence('rival', /^rival: round 3 failed: rival exited with 7: no luck any more$/),
    );
    assert.ok((await contender.round(['x'])) > 0);
    await assert.rejects(contender.round(['x']), isSentence('rival', /round 5 failed: rival was ended by signal 9$/));
    await assert.rejects(contender.round(['x']), isSentence('rival', /round 6 failed: no answer within 1.5 s$/));
    await assert.rejects(contender.round(['x']), isSentence('rival', /not asked any more, since it gave no answer in/));
  } finally {
    await contender.stop();
  }
  assert.equal(readFileSync(join(folder, 'runs'), 'utf8').length, 12, 'the seventh was not run');
  const pid = Number(readFileSync(join(folder, 'hanging'), 'utf8'));
  while (existsSync(`/proc/${pid}`)) await pause(10);
});

test('a program that is not there is told as that', async () => {
  const contender = new WatchedContender('rival', new TimedCommand({}, () => [], { around: ['/nowhere/at-all'] }));
  await assert.rejects(contender.round(['x']), isSentence('rival', /ENOENT/));
  await contender.stop();
});

/** A go-judge on PATH that accepts until `run`, which it answers by `how`. */
function setFakeJudge(tree: CleanTree, run: number, how: string): Readonly<Record<string, string>> {
  const program = `import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
if (process.argv.includes('-version')) { console.log('v0.0'); process.exit(); }
let asked = 0;
createServer((request, response) => {
  appendFileSync('${tree.folder}/requests', 'x');
  if (++asked === ${run}) { ${how} }
  else response.end(JSON.stringify([{ status: 'Accepted' }]));
}).listen(Number(process.argv[process.argv.indexOf('-http-addr') + 1].split(':')[1]), '127.0.0.1');
`;
  writeFileSync(join(tree.folder, 'judge.mjs'), program);
  const starter = `#!/bin/sh\nexec ${process.execPath} ${tree.folder}/judge.mjs "$@"\n`;
  writeFileSync(join(tree.programs, 'go-judge'), starter, { mode: 0o755 });
  return tree.offline;
}

const crashes = [
  [
    "console.error('panic: out of luck\\n\\ngoroutine 1:\\n\\tmain.go'); process.exit(3);",
    /it exited with 3: panic: out of luck$/,
  ],
  ["process.kill(process.pid, 'SIGKILL');", /it was ended by SIGKILL$/],
] as const;

for (const [how, end] of crashes) {
  test(`a server that ends half-way (${end.source.slice(0, -1)}) says so in one sentence and is not asked again`, async (context) => {
    const tree = setCleanTree(context);
    // Asked once until it serves, once for proof, twice in rounds.
    const admitted = await admit(goJudge, setFakeJudge(tree, 4, how));
    assert.ok('contender' in admitted, describePresence(admitted));
    const { present, contender } = admitted;
    context.after(() => contender.stop());
    assert.deepEqual([present.source, present.version], ['path', 'v0.0']);
    assert.ok((await contender.round(['/bin/true'])) > 0);
    await assert.rejects(contender.round(['/bin/true']), isSentence('go-judge', /: round 2 failed: /, end));
    await assert.rejects(
      contender.round(['/bin/true']),
      isSentence('go-judge', /: not asked any more, since it ended in round 2$/),
    );
    assert.equal(readFileSync(join(tree.folder, 'requests'), 'utf8'), 'xxxx');
  });
}

test('a server that answers wrongly says so in one sentence, and may be asked again', async (context) => {
  const tree = setCleanTree(context);
  const variables = setFakeJudge(tree, 3, "response.statusCode = 500; response.end('what\\nis that?');");
  const admitted = await admit(goJudge, variables);
  assert.ok('contender' in admitted, describePresence(admitted));
  const { contender } = admitted;
  context.after(() => contender.stop());
  await assert.rejects(
    contender.round(['x']),
    isSentence('go-judge', /: round 1 failed: it answered with 500: what; is that\?$/),
  );
  assert.ok((await contender.round(['x'])) > 0);
});

test('one that is here but never serves is absent, with what it said', async (context) => {
  const tree = setCleanTree(context);
  writeFileSync(join(tree.programs, 'go-judge'), '#!/bin/sh\necho no cgroups here >&2\nexit 1\n', { mode: 0o755 });
  const admitted = await admit(goJudge, tree.offline);
  assert.equal(
    describePresence(admitted),
    'go-judge: absent: is here, but does not run: it exited with 1: no cgroups here',
  );
});
