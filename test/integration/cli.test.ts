/**
 * Owns the proof of the command line against a running server with a real agent: streams, exit codes, tests, builds, what is told of what goes wrong.
 * Needs root, for the sandboxes. What needs a terminal is in cli-terminal.test.ts.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { EnvicutorClient } from '../../client/typescript/client.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { readRecipe } from '../../shared/recipes/recipe-folder.ts';
import { CommandLine, ended } from '../support/command-line.ts';
import { setCommandStage } from '../support/command-line-stage.ts';
import { SlowRelay } from '../support/slow-relay.ts';

const endings: (() => unknown)[] = [];
const place = { after: (ending: () => unknown) => endings.unshift(ending) };
let stage: Awaited<ReturnType<typeof setCommandStage>>;
before(async () => {
  stage = await setCommandStage(place);
});
after(async () => {
  for (const end of endings) await end();
});

const newest = async (): Promise<Execution> => {
  for await (const execution of new EnvicutorClient({ url: stage.url }).list({ pageSize: 1 })) return execution;
  throw new Error('there is no execution');
};

test('output comes on its own stream, byte by byte, and the exit code is the program’s; arguments and files are there', async () => {
  const { line } = stage;
  line.write({
    'main.sh': 'echo "$1|$2"; cat data/a.txt options; printf "\\377\\000\\376"; echo err >&2; exit 7\n',
    'data/a.txt': 'from a file\n',
  });
  const words = [
    'run',
    'main.sh',
    '--file',
    'data',
    '--compiler-options',
    '-O2 -g',
    '--arg',
    'one two',
    '--',
    '--three',
  ];
  const end = await line.run(words);
  const expected = Buffer.concat([Buffer.from('one two|--three\nfrom a file\n-O2 -g'), Buffer.from([0xff, 0, 0xfe])]);
  assert.deepEqual([end.code, end.bytes], [7, expected]);
  assert.match(end.stderr, /^(envicutor: base: .*\n)*err\nenvicutor: nonzero-exit 7 \(.* of processor, .*MiB\)\n$/);
  const quiet = await line.run([...words, '-q'].filter((word) => word !== '--' && word !== '--three'));
  assert.deepEqual([quiet.code, quiet.stderr], [7, 'err\n']);
});

test('standard input is passed through, whatever its size and bytes, and so is much output', async () => {
  const { line } = stage;
  line.write({
    'main.sh': 'sha256sum; yes 0123456789abcde | head -c 8000000\n',
    'input.bin': Buffer.alloc(5_000_000, 0xf7),
  });
  const limits = ['--limits', 'output=16m,memory=256m'];
  const end = await line.run(['run', 'main.sh', ...limits], Buffer.alloc(5_000_000, 0xf7));
  assert.equal(end.code, 0, end.stderr);
  assert.equal(end.bytes.length, 8_000_000 + 68);
  const given = await line.run(['run', 'main.sh', ...limits, '--stdin', 'input.bin']);
  assert.deepEqual(given.bytes, end.bytes);
  line.write({ 'main.sh': 'cat\n' });
  assert.equal((await line.run(['run', 'main.sh'], 'small ü\n')).stdout, 'small ü\n');
  assert.equal((await line.run(['run', 'main.sh'])).stdout, '');
});

test('limits, signals, compilers and collected files: codes apart, a line that says why, files where they were asked for', async () => {
  const { line } = stage;
  line.write({
    'loop.sh': 'while :; do :; done\n',
    'kill.sh': 'kill -SEGV $$\n',
    'bad.sh': 'if\n',
    'leave.sh': 'mkdir out; echo left > out/a; echo no > b\n',
  });
  const limited = await line.run(['run', 'loop.sh', '--limits', 'cpu=200ms']);
  assert.equal(limited.code, 124);
  assert.match(limited.stderr, /cpu-time-exceeded: cpu came to \d+ms of 200ms; --limits cpu=… allows more/);
  assert.equal((await line.run(['run', 'kill.sh'])).code, 139);
  const bad = await line.run(['run', 'bad.sh']);
  assert.deepEqual([bad.code, bad.stdout], [121, '']);
  assert.match(bad.stderr, /Syntax error[\s\S]*envicutor: it does not compile: nonzero-exit 2/);
  const left = await line.run(['run', 'leave.sh', '--collect', 'out/*', '--collect-into', 'got', '--json']);
  assert.equal(left.code, 0, left.stderr);
  assert.equal(readFileSync(join(line.folder, 'got/out/a'), 'utf8'), 'left\n');
  assert.deepEqual(
    (JSON.parse(left.stdout) as Execution).files.map(({ path }) => path),
    ['out/a'],
  );
});

test('tests of a folder are a table, with the difference of the first wrong one', async () => {
  const { line } = stage;
  line.write({ 'double.sh': 'read n; echo $((n + n))\n', 'square.sh': 'read n; echo $((n * n))\n' });
  for (const n of [1, 2, 3, 10]) line.write({ [`tests/${n}.in`]: `${n}\n`, [`tests/${n}.ans`]: `${n * n}\n` });
  const good = await line.run(['run', 'square.sh', '--test', 'tests']);
  assert.equal(good.code, 0, good.stderr);
  assert.match(
    good.stdout,
    /^1 +accepted .*\n2 +accepted .*\n3 +accepted .*\n10 +accepted .*\naccepted: 4 of 4 tests accepted\n$/,
  );
  line.write({ 'bad.sh': 'if\n' });
  const bad = await line.run(['run', 'bad.sh', '--test', 'tests']);
  assert.deepEqual([bad.code, bad.stdout], [121, '']);
  const wrong = await line.run(['run', 'double.sh', '--test', 'tests', '--compare', 'tokens']);
  assert.equal(wrong.code, 1);
  assert.match(
    wrong.stdout,
    /^3 +wrong-answer[\s\S]*wrong-answer: 1 of 4 tests accepted\n\n1: wrong-answer\n[\s\S]* {2}- 1\n {2}\+ 2\n$/m,
  );
});

test('an environment that can not be built: the end of its log, where the whole is, and a code of its own', async () => {
  const { line, recipes } = stage;
  line.write({ 'main.broken': 'echo hello\n' });
  const id = recipes.find(({ name }) => name === 'broken')?.environmentId;
  const end = await line.run(['run', 'main.broken']);
  assert.equal(end.code, 120);
  assert.match(
    end.stderr,
    new RegExp(
      `line 40 of the log\\n[\\s\\S]*its setup script ended with nonzero-exit 100 .*\\n.*the whole log: envicutor env log ${id}\\n$`,
    ),
  );
  assert.ok(!end.stderr.includes('\u001b') && !end.stderr.includes('line 1 of'));
  const log = await line.run(['env', 'log', 'broken']);
  assert.deepEqual([log.code, log.stdout.match(/of the log/g)?.length], [0, 40]);
  assert.equal((await line.run(['env', 'build', 'broken'])).code, 120);
  assert.match((await line.run(['env', 'show', id ?? ''])).stdout, /state {4}failed\n[\s\S]*setup: nonzero-exit 100/);
  const built = await line.run(['env', 'build', 'shell']);
  assert.deepEqual([built.code, built.stdout.startsWith('env_')], [0, true]);
  assert.match((await line.run(['env', 'list'])).stdout, /^ID +STATE[\s\S]*ready/);
});

test('a kind of file without a recipe, a name that is nobody’s and a file that is not there are told with the remedy', async () => {
  const { line } = stage;
  line.write({ 'main.xyz': '', 'main.sh': 'echo "ran as $0"\n' });
  const unknown = await line.run(['run', 'main.xyz']);
  assert.equal(unknown.code, 64);
  assert.match(
    unknown.stderr,
    /no recipe of the coordinator is for files like main\.xyz; name one with --env .*recipe init/,
  );
  assert.match(
    (await line.run(['run', '-e', 'shel', 'main.xyz'])).stderr,
    /there is no recipe shel; did you mean shell\?/,
  );
  assert.match((await line.run(['run', 'nowhere.sh'])).stderr, /there is no file nowhere\.sh/);
  assert.equal((await line.run(['run', '-e', 'sh', 'main.xyz'])).code, 0);
  const above = await line.run(['run', 'main.sh', '--limits', 'memory=64g']);
  assert.equal(above.code, 64);
  assert.match(above.stderr, /memoryBytes/);
  assert.match((await line.run(['recipe', 'list'])).stdout, /^NAME[\s\S]*shell +Shell +1 +\.sh +sh\n/);
});

test('a recipe that is written as a folder is the recipe, and is run by its folder', async () => {
  const { line, recipes } = stage;
  const end = await line.run(['recipe', 'init', 'mine', '--from', 'shell']);
  assert.equal(end.code, 0, end.stderr);
  const written = readRecipe(join(line.folder, 'mine'));
  assert.deepEqual(
    { ...written, name: 'shell', aliases: ['sh'] },
    recipes.find(({ name }) => name === 'shell'),
  );
  const ran = await line.run(['run', '--env', './mine', 'mine/hello/main.sh']);
  assert.deepEqual([ran.code, ran.stdout], [0, 'hello\n']);
  assert.match((await line.run(['recipe', 'init', 'mine', '--from', 'shell'])).stderr, /mine is there already/);
});

test('Ctrl-C cancels at the coordinator; so does a reader of the output that goes away', async () => {
  const { line } = stage;
  line.write({ 'main.sh': 'echo begun; sleep 600\n', 'much.sh': 'yes\n' });
  const child = line.start(['run', 'main.sh']);
  if (child.stdout === null) throw new Error('no pipe');
  await once(child.stdout, 'data');
  child.kill('SIGINT');
  assert.equal((await ended(child)).code, 130);
  assert.equal((await newest()).stage, 'cancelled');
  const pipe = line.start(['run', 'much.sh', '--limits', 'output=16m']);
  if (pipe.stdout === null) throw new Error('no pipe');
  await once(pipe.stdout, 'data');
  pipe.stdout.destroy();
  const [code] = await once(pipe, 'exit');
  assert.equal(code, 141);
  assert.equal((await newest()).stage, 'cancelled');
});

test('over a network that passes small pieces everything arrives, whole', async (t) => {
  const relay = await SlowRelay.open(t, Number(new URL(stage.url).port), 64);
  stage.line.write({ 'main.sh': 'cat; seq 1 9999\n' });
  const input = 'x'.repeat(20_000);
  const end = await stage.line.run(['run', 'main.sh', '--url', relay.url], input);
  assert.equal(end.code, 0, end.stderr);
  assert.equal(end.stdout, `${input}${Array.from({ length: 9999 }, (_, index) => `${index + 1}\n`).join('')}`);
  assert.ok(relay.pieces > 1000, `${relay.pieces} pieces`);
});

test('nobody answers, or somebody else does: one sentence with the address, a code of its own', async (t) => {
  const { line } = stage;
  line.write({ 'main.sh': 'true\n' });
  const nobody = await line.run(['run', 'main.sh', '--url', 'http://127.0.0.1:1']);
  assert.deepEqual([nobody.code, nobody.stderr.split('\n').length], [69, 2]);
  const away = new CommandLine(t, { ENVICUTOR_URL: 'http://127.0.0.1:2' });
  const doctor = await away.run(['doctor']);
  assert.deepEqual([doctor.code, doctor.stderr], [1, '']);
  assert.match(doctor.stdout, /✗ coordinator: http:\/\/127\.0\.0\.1:2 can't be reached \(.*\): is it running/);
  assert.equal((await line.run(['run', 'main.sh', '--url', 'ftp://x'])).code, 64);
});

test('the doctor of what is well says so, line by line', async () => {
  const { code, stdout } = await stage.line.run(['doctor']);
  assert.equal(code, 0, stdout);
  for (const about of ['configuration', 'coordinator', 'clocks', 'readiness', 'access', 'recipes'])
    assert.match(stdout, new RegExp(`^✓ ${about}: `, 'm'));
});
