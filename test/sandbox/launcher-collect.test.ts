/**
 * Owns the proof that files come out of a sandbox exactly, and nothing else does: no link's target, no pipe, no other layer.
 * Runs real programs in the real launcher; needs root and gcc.
 */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { limitDefaults } from '../../shared/model/limits.ts';
import type { CollectSpec, LaunchReport, LaunchSpec } from '../../shared/sandbox/sandbox.ts';
import { CollectedRun } from '../support/collected-run.ts';
import { launchSpec } from '../support/launch-spec.ts';
import { compileC, RealLauncher } from '../support/real-launcher.ts';

const MiB = 1 << 20;
const collect = (patterns: readonly string[], changes: Partial<CollectSpec> = {}): CollectSpec => ({
  patterns,
  bytesMax: 16 * MiB,
  filesMax: 100,
  ...changes,
});
const unhurried = { cpuTimeMs: 200_000, wallTimeMs: 200_000, idleTimeMs: 200_000 };
const limits = { ...limitDefaults.run, wallTimeMs: 30_000, idleTimeMs: 30_000, cpuTimeMs: 30_000 };

let launcher: RealLauncher;
before(async () => {
  launcher = await RealLauncher.start('envicutor-collect');
});
after(() => launcher.stop());

function begin(argv: readonly string[], wanted: CollectSpec | null, changes: Partial<LaunchSpec> = {}): CollectedRun {
  return new CollectedRun(
    launcher.sandbox,
    launchSpec(argv, { layers: ['base'], collect: wanted, limits, ...changes }),
  );
}

async function run(
  script: string,
  wanted: CollectSpec | null,
  changes: Partial<LaunchSpec> = {},
): Promise<CollectedRun> {
  const done = begin(['/bin/sh', '-c', script], wanted, changes);
  await done.report;
  return done;
}

async function compiled(source: string, wanted: CollectSpec, changes: Partial<LaunchSpec> = {}): Promise<CollectedRun> {
  const files = [{ path: '.program', isExecutable: true, content: compileC(source) }];
  const done = begin(['/environment/workspace/.program'], wanted, { files, ...changes });
  const { end, exitCode, signal } = await done.report;
  assert.deepEqual([end, exitCode, signal], ['exited', 0, null], done.said);
  return done;
}

test('files come out with their path, their bytes and whether they are executable', async () => {
  const script = `mkdir -p out/deep; printf one > result.txt; printf '\\0\\377' > out/a.bin; : > out/empty
    printf '#!' > out/tool; chmod 711 out/tool; printf no > out/deep/b.bin; printf no > .hidden`;
  const { files } = await run(script, collect(['result.txt', 'out/*', '*']));
  assert.deepEqual(files, {
    'result.txt': { state: 'copied', isExecutable: false, content: 'one' },
    'out/a.bin': { state: 'copied', isExecutable: false, content: '\0\xff' },
    'out/empty': { state: 'copied', isExecutable: false, content: '' },
    'out/tool': { state: 'copied', isExecutable: true, content: '#!' },
  });
});

test('patterns mean what they mean in a shell, and ** is any number of directories', async () => {
  const script = `mkdir -p a/b/c .d/e; for name in x.c a/x.c a/b/x.c a/b/c/x.c a/y.h .d/e/x.c a/.x.c 'a/*' 'a/]' a/-; do : > "$name"; done`;
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['*.c', ['x.c']],
    ['**/*.c', ['x.c', 'a/x.c', 'a/b/x.c', 'a/b/c/x.c']],
    ['a/**/x.c', ['a/x.c', 'a/b/x.c', 'a/b/c/x.c']],
    ['a/**', ['a/x.c', 'a/b/x.c', 'a/b/c/x.c', 'a/y.h', 'a/*', 'a/]', 'a/-']],
    ['a/?.[ch]', ['a/x.c', 'a/y.h']],
    ['a/?.[!c]', ['a/y.h']],
    ['a/[x-z].*', ['a/x.c', 'a/y.h']],
    ['a/\\*', ['a/*']],
    ['a/[]-]', ['a/]', 'a/-']],
    ['a/[', []],
    ['.d/e/x.c', ['.d/e/x.c']],
    ['.*/*/*', ['.d/e/x.c']],
    ['a/.x.c', ['a/.x.c']],
    ['a', []],
    ['a/x.c/y', []],
    ['*a*a*a*a*a*a*a*a*a*a*a*a*b', []],
  ];
  const { kept } = begin(['/bin/sh', '-c', script], null, { isKept: true });
  for (const [pattern, expected] of cases) {
    const { files } = await run('true', collect([pattern]), { kept: [await kept] });
    assert.deepEqual(Object.keys(files).sort(), [...expected].sort(), pattern);
  }
  launcher.sandbox.release(await kept);
});

test('no link is followed, whether it is the file or on the way to it', async () => {
  const script = `ln -s /etc/passwd passwd; ln -s /etc etc; ln -s / root; mkdir real; printf own > real/file; ln -s real alias
    ln -s real/file relative; ln -s nowhere dangling`;
  const patterns = [
    'passwd',
    'etc/passwd',
    'root/etc/passwd',
    'alias/file',
    'real/file',
    '**/passwd',
    'relative',
    'dangling',
  ];
  const { files } = await run(script, collect(patterns));
  const link = { state: 'not-regular', isExecutable: false, content: '' };
  assert.deepEqual(files, {
    ...{ passwd: link, relative: link, dangling: link },
    'real/file': { state: 'copied', isExecutable: false, content: 'own' },
  });
});

test('a directory that the program replaced by a link to elsewhere gives nothing', async () => {
  const { files } = await run(
    'cd /; rm -rf /environment/workspace; ln -s /etc /environment/workspace',
    collect(['passwd', '*']),
    {
      directory: '/environment/workspace',
    },
  );
  assert.deepEqual(files, {});
});

test('pipes, sockets and devices are named and never opened', async () => {
  const { files } = await compiled(
    `#include <sys/socket.h>
     #include <sys/stat.h>
     #include <sys/un.h>
     int main(void) {
       struct sockaddr_un name = {AF_UNIX, "socket"};
       mkfifo("pipe", 0644);
       mknod("null", S_IFCHR | 0666, 0x103);
       mknod("whiteout", S_IFCHR | 0666, 0);
       return bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&name, sizeof name);
     }`,
    collect(['*']),
  );
  const special = { state: 'not-regular', isExecutable: false, content: '' };
  assert.deepEqual(files, { pipe: special, socket: special });
});

test('what is beyond bytesMax is named with its size, and what fits comes', async () => {
  const script = 'mkdir d; printf 12345 > d/first; truncate -s 1T huge; printf 123456 > second';
  const fileSizeBytes = 2 ** 41;
  const done = await run(script, collect(['d/first', 'huge', 'second'], { bytesMax: 10 }), {
    limits: { ...limits, fileSizeBytes },
  });
  assert.equal((await done.report).exitCode, 0, done.said);
  const states = Object.entries(done.files).map(([path, { state, content }]) => [path, state, content.length]);
  assert.equal(states.filter(([, state]) => state === 'copied').length, 1);
  assert.equal(done.files['huge']?.state, 'too-large');
  assert.equal(done.sizes['huge'], 2 ** 40);
});

test('a sparse file comes with its zeros', async () => {
  const done = await run('truncate -s 3M sparse; printf x >> sparse', collect(['sparse']));
  assert.equal(done.files['sparse']?.content, `${'\0'.repeat(3 * MiB)}x`);
});

test('beyond filesMax nothing more comes, and it is said', async () => {
  const script = 'for n in 1 2 3 4 5 6 7 8 9; do : > f$n; done';
  const { states } = await run(script, collect(['*'], { filesMax: 8 }));
  assert.deepEqual(states, [...Array(8).fill('copied'), 'too-many']);
  assert.deepEqual((await run(script, collect(['*'], { filesMax: 9 }))).states, Array(9).fill('copied'));
  assert.deepEqual((await run(script, collect(['f1'], { filesMax: 0 }))).states, ['too-many']);
});

test('names of 255 bytes, with newlines and of no encoding come as they are', async () => {
  const { paths } = await compiled(
    `#include <fcntl.h>
     #include <stdio.h>
     #include <string.h>
     int main(void) {
       char name[256] = {0};
       for (int i = 1; i < 256; i++) {
         sprintf(name, "n%c", i);
         if (i != '/' && open(name, O_CREAT, 0644) < 0) return 1;
       }
       memset(name, 'x', 255);
       return open(name, O_CREAT, 0644) < 0;
     }`,
    collect(['*'], { filesMax: 1000 }),
  );
  const bytes = Array.from({ length: 255 }, (_, i) => i + 1).filter((byte) => byte !== 0x2f);
  const expected = [...bytes.map((byte) => `n${String.fromCharCode(byte)}`), 'x'.repeat(255)];
  assert.deepEqual(paths.sort(), expected.sort());
});

test('files that nobody may read, set-id files and hard links come', async () => {
  const script = 'printf secret > a; ln a b; chmod 4000 a; mkdir closed; printf in > closed/file; chmod 0 closed';
  const { files } = await run(script, collect(['a', 'b', 'closed/file']));
  const file = (content: string): unknown => ({ state: 'copied', isExecutable: false, content });
  assert.deepEqual(files, { a: file('secret'), b: file('secret'), 'closed/file': file('in') });
});

test('of a kept layer comes what the program saw of it: nothing deleted, replaced or hidden', async () => {
  const compile = begin(
    [
      '/bin/sh',
      '-c',
      'mkdir -p bin old; for f in bin/main bin/gone bin/both old/a old/b; do printf compiled > $f; done',
    ],
    null,
    { isKept: true },
  );
  const middle = begin(['/bin/sh', '-c', 'rm bin/gone; rm -r old; mkdir old; printf middle > old/b'], null, {
    kept: [await compile.kept],
    isKept: true,
  });
  const kept = [await compile.kept, await middle.kept];
  const { files } = await run('printf run > bin/both; printf new > bin/new', collect(['*/*']), { kept });
  const contents = Object.fromEntries(Object.entries(files).map(([path, { content }]) => [path, content]));
  assert.deepEqual(contents, { 'bin/main': 'compiled', 'bin/both': 'run', 'bin/new': 'new', 'old/b': 'middle' });
  for (const layer of kept) launcher.sandbox.release(layer);
});

test('a kept layer that is released while the program runs still comes', async () => {
  const compile = begin(['/bin/sh', '-c', 'printf compiled > main'], null, { isKept: true });
  const kept = await compile.kept;
  const going = begin(['/bin/sh', '-c', 'echo go; sleep 0.2'], collect(['main']), { kept: [kept] });
  await going.until('go');
  launcher.sandbox.release(kept);
  await going.report;
  assert.equal(going.files['main']?.content, 'compiled');
});

test('a launch that keeps its layer has its files come out as well', async () => {
  const done = await run('printf made > file', collect(['file']), { isKept: true });
  assert.equal(done.files['file']?.content, 'made');
  const next = await run('cat file', null, { kept: [await done.kept] });
  assert.equal(next.said, 'made');
  launcher.sandbox.release(await done.kept);
});

test('what comes from the layers of an environment does not come out, nor what lies outside of the directory', async () => {
  const { files } = await run('printf x > passwd; printf y > /etc-new 2>&1; true', collect(['**']), {
    directory: '/etc',
  });
  assert.deepEqual(Object.keys(files), []);
});

test('a command on the view of the host has its workspace looked at, and what it was given of it', async () => {
  const command = { profile: 'command', layers: [] } as const;
  const compile = begin(['sh', '-c', 'printf compiled > main; printf x > gone; mkdir d; printf y > d/old'], null, {
    ...command,
    isKept: true,
  });
  const kept = await compile.kept;
  const script = 'rm gone; rm -r d; mkdir d; printf new > d/new; printf no > /tmp/elsewhere';
  const done = begin(['sh', '-c', script], collect(['*', 'd/*', '**/elsewhere']), { ...command, kept: [kept] });
  assert.equal((await done.report).exitCode, 0, done.said);
  const contents = Object.entries(done.files).map(([path, { content }]) => [path, content]);
  assert.deepEqual(Object.fromEntries(contents), { main: 'compiled', 'd/new': 'new' });
  launcher.sandbox.release(kept);
});

test('a directory in /tmp or /dev/shm is looked at where it is', async () => {
  for (const directory of ['/tmp', '/tmp/in/it', '/dev/shm']) {
    const { files } = await run('mkdir -p a; printf there > a/file', collect(['a/*']), { directory });
    assert.equal(files['a/file']?.content, 'there', directory);
  }
});

test('a hundred thousand levels beside twenty thousand files keep no file that was named from coming', async () => {
  const { files, states } = await compiled(
    `#include <fcntl.h>
     #include <stdio.h>
     #include <sys/stat.h>
     #include <unistd.h>
     int main(void) {
       char name[16];
       close(open("result", O_CREAT | O_WRONLY, 0644));
       mkdir("many", 0755);
       chdir("many");
       for (int i = 0; i < 20000; i++) { sprintf(name, "%d", i); close(open(name, O_CREAT, 0644)); }
       chdir("..");
       for (int i = 0; i < 100000; i++) if (mkdir("d", 0755) || chdir("d")) return 1;
       return 0;
     }`,
    collect(['result', 'd/**/result']),
    { limits: { ...limits, ...unhurried, diskInodes: 400_000, diskBytes: 2 ** 30, memoryBytes: 2 ** 30 } },
  );
  assert.deepEqual([files['result']?.state, states], ['copied', ['copied', 'too-many']]);
});

test('64 MiB come out unchanged', async () => {
  const bytes = randomBytes(64 * MiB);
  const files = [{ path: 'data', isExecutable: false, content: bytes }];
  const done = await run('cp data copy', collect(['copy'], { bytesMax: bytes.length }), { files });
  const digest = (content: Buffer): string => createHash('sha256').update(content).digest('hex');
  assert.equal(digest(Buffer.from(done.files['copy']?.content ?? '', 'latin1')), digest(bytes));
});

test('a run that a limit or its caller ended has its files come out', async () => {
  const slow = await run('printf half > file; sleep 20', collect(['file']), { limits: { ...limits, wallTimeMs: 200 } });
  assert.deepEqual([(await slow.report).exceeded?.limit, slow.files['file']?.content], ['wallTimeMs', 'half']);
  const killed = begin(['/bin/sh', '-c', 'printf half > file; echo go; sleep 20'], collect(['file']));
  await killed.until('go');
  killed.kill();
  assert.deepEqual([(await killed.report).end, killed.files['file']?.content], ['client', 'half']);
});

test('a file that a process in the background was still writing comes as its death left it', async () => {
  const done = await run(
    '(while :; do printf 0123456789; done > file) & sleep 0.1',
    collect(['file'], { bytesMax: 1e9 }),
  );
  const { state, content } = done.files['file'] ?? assert.fail(done.said);
  assert.deepEqual([state, content], ['copied', '0123456789'.repeat(content.length).slice(0, content.length)]);
  assert.ok(content.length > 0);
});

test('a program that never started leaves nothing to come', async () => {
  const done = begin(['/nowhere'], collect(['*']), {
    files: [{ path: 'a', isExecutable: false, content: Buffer.from('a') }],
  });
  assert.deepEqual([(await done.report).end, done.states], ['start-failed', []]);
});

test('patterns that can mean nothing are refused with the launch', async () => {
  const patterns = [
    '',
    '/etc/passwd',
    '../x',
    'a/../b',
    'a//b',
    'a/',
    './a',
    'a\0b',
    `${'a/'.repeat(63)}a`,
    'x'.repeat(256),
  ];
  for (const pattern of patterns) {
    const { end, failure } = await (await run('true', collect([pattern]))).report;
    assert.deepEqual([end, failure], ['setup-failed', { step: 'decode', errno: 'EINVAL' }], pattern);
  }
  const { end } = await (await run('true', collect(Array(65).fill('a')))).report;
  assert.equal(end, 'setup-failed');
});

test('a listener that is slow holds the files back, and the report waits for it', async () => {
  const done = begin(['/bin/sh', '-c', 'head -c 8388608 /dev/zero > zeros'], collect(['zeros']));
  done.slowMs = 2;
  await done.report;
  assert.equal(done.files['zeros']?.content.length, 8 * MiB);
  assert.equal(done.waiting, 0);
});

test('a listener that fails rejects the report with its own error', async () => {
  const failure = new Error('no room');
  const spec = launchSpec(['/bin/sh', '-c', 'echo > a'], { layers: ['base'], collect: collect(['a']) });
  const launch = launcher.sandbox.launch(spec, {
    collected: () => {
      throw failure;
    },
  });
  await assert.rejects(launch.report, failure);
});

test('fifty at a time get each its own file', async () => {
  const runs = Array.from({ length: 50 }, (_, i) =>
    run(`printf ${i} > file; head -c ${i * 999} /dev/zero > pad`, collect(['*'])),
  );
  for (const [i, { files }] of (await Promise.all(runs)).entries())
    assert.deepEqual([files['file']?.content, files['pad']?.content.length], [String(i), i * 999]);
});

test("the time for copying is not the program's", async () => {
  const done = await run('head -c 16000000 /dev/zero > zeros', collect(['zeros']));
  const { wallTimeMs, collectMs, endedAtMs, startedAtMs }: LaunchReport = await done.report;
  assert.ok(Math.abs(endedAtMs - (startedAtMs ?? 0) - wallTimeMs) < 50 && collectMs > 0);
});
