/**
 * Owns the contract of the Sandbox port, kept by the real launcher: real programs, each in a sandbox, through the real client.
 * Never needs a registry: its layer is made of this machine's own programs. Needs root. What isolation means is in test/sandbox.
 */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { SystemError } from '../../shared/errors.ts';
import { limitDefaults } from '../../shared/model/limits.ts';
import { isJudgeable, judge } from '../../shared/sandbox/judge.ts';
import { OutputBuffer } from '../../shared/sandbox/output-buffer.ts';
import type { LaunchReport, LaunchSpec } from '../../shared/sandbox/sandbox.ts';
import { toScriptLaunch } from '../../shared/sandbox/script.ts';
import { launchSpec } from '../support/launch-spec.ts';
import { compileC, RealLauncher } from '../support/real-launcher.ts';

const MiB = 1024 * 1024;
let launcher: RealLauncher;
before(async () => {
  launcher = await RealLauncher.start('contract');
});
after(() => launcher.stop());

interface Ended {
  readonly report: LaunchReport;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

async function run(argv: readonly string[], changes: Partial<LaunchSpec> = {}): Promise<Ended> {
  const stdout = new OutputBuffer();
  const stderr = new OutputBuffer();
  const listener = { stdout: stdout.append.bind(stdout), stderr: stderr.append.bind(stderr) };
  const report = await launcher.sandbox.launch(launchSpec(argv, { layers: ['base'], ...changes }), listener).report;
  return { report, stdout: stdout.bytes(), stderr: stderr.bytes() };
}

function shell(script: string, changes: Partial<LaunchSpec> = {}, args: readonly string[] = []): Promise<Ended> {
  const { argv, file } = toScriptLaunch(script, args);
  return run(argv, { systemFiles: [file], ...changes });
}

const limited = (limits: Partial<LaunchSpec['limits']>) => ({ limits: { ...limitDefaults.run, ...limits } });
const verdictOf = ({ report, stdout, stderr }: Ended, limits = limitDefaults.run) =>
  judge({ launch: report, limits, stdout, stderr, slot: null });
const program = (source: string) => ({
  files: [{ path: 'main', isExecutable: true, content: compileC(source) }],
});

test('exit code, both streams and arguments come back', async () => {
  const { report, stdout, stderr } = await shell('echo "$1"; echo err >&2; exit 3', {}, ['a b']);
  assert.deepEqual([report.end, report.exitCode, report.signal], ['exited', 3, null]);
  assert.deepEqual([stdout.toString(), stderr.toString()], ['a b\n', 'err\n']);
  assert.deepEqual([report.stdoutBytes, report.stderrBytes], [4, 4]);
  assert.ok(report.startedAtMs !== null && Math.abs(Date.now() - report.startedAtMs) < 60_000);
});

test("a program's signal is its own although a shell started it", async () => {
  const ended = await shell('./main', program('int main() { *(volatile int *)0 = 1; }'));
  const { verdict, signal, exitCode } = verdictOf(ended);
  assert.deepEqual([verdict, signal, exitCode], ['signaled', 'SIGSEGV', null]);
});

test('real-time signals keep their number', async () => {
  const source = '#include <signal.h>\nint main() { raise(SIGRTMIN + 3); }';
  const ended = await shell('./main', program(source));
  assert.equal(verdictOf(ended).signal, 'SIGRTMIN+3', JSON.stringify(ended.report));
});

test('what can not be executed is start-failed with its errno, unlike an exit of 127', async () => {
  const missing = verdictOf(await shell('#!/no/such/interpreter\n'));
  const { step, errno } = missing.start ?? {};
  assert.deepEqual([missing.verdict, step, errno], ['start-failed', 'exec', 'ENOENT']);
  const main = ['/environment/workspace/main'];
  const file = { path: 'main', isExecutable: true, content: Buffer.from('\0\0\0\0') };
  const denied = verdictOf(await run(main, { files: [{ ...file, isExecutable: false }] }));
  assert.deepEqual([denied.verdict, denied.start?.errno], ['start-failed', 'EACCES']);
  const format = verdictOf(await run(main, { files: [file] }));
  assert.deepEqual([format.verdict, format.start?.errno], ['start-failed', 'ENOEXEC']);
  assert.deepEqual((await shell('no-such-command')).report.exitCode, 127);
});

test('a missing layer is our own failure, not a verdict', async () => {
  const { report } = await run(['/bin/true'], { layers: ['sha256-missing'] });
  assert.deepEqual([report.end, report.failure?.step, report.failure?.errno], ['setup-failed', 'layers', 'ENOENT']);
  assert.equal(isJudgeable(report), false);
});

for (const kind of ['bytes', 'a stream'] as const) {
  test(`ten megabytes of binary input, given as ${kind}, come back byte by byte`, async () => {
    const input = randomBytes(10 * MiB);
    async function* source(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < input.length; at += 100_001) yield input.subarray(at, at + 100_001);
    }
    const stdin = kind === 'bytes' ? input : source();
    const { report, stdout } = await run(['/bin/cat'], { stdin, ...limited({ outputBytes: 16 * MiB }) });
    assert.deepEqual([report.end, report.exitCode, report.stdinBytes], ['exited', 0, input.length]);
    assert.ok(stdout.equals(input));
  });
}

test('a program that does not read its input ends all the same', async () => {
  const { report } = await run(['/bin/true'], { stdin: randomBytes(4 * MiB) });
  assert.deepEqual([report.end, report.exitCode], ['exited', 0]);
});

test('input that nobody gave is at its end', async () => {
  assert.equal((await run(['/bin/wc', '-c'])).stdout.toString(), '0\n');
});

test('output that is not UTF-8 is exact', async () => {
  const ended = await shell("printf '\\377\\376'");
  assert.deepEqual([ended.stdout, verdictOf(ended).stdout], [Buffer.from([0xff, 0xfe]), '//4=']);
});

test('a slow listener holds the program back and loses nothing', async () => {
  let bytes = 0;
  let held = 0;
  const spec = launchSpec(['/bin/dd', 'if=/dev/zero', 'bs=1M', 'count=12'], {
    layers: ['base'],
    ...limited({ outputBytes: 16 * MiB }),
  });
  const { report } = launcher.sandbox.launch(spec, {
    stdout: (chunk) => {
      bytes += chunk.length;
      held++;
      return new Promise((resolve) => setImmediate(resolve));
    },
  });
  assert.equal((await report).exitCode, 0);
  assert.ok(held > 12);
  assert.equal(bytes, 12 * MiB);
});

const endings: readonly [string, string, Partial<LaunchSpec['limits']>, string][] = [
  ['cpu time', 'while true; do :; done', { cpuTimeMs: 200 }, 'cpu-time-exceeded'],
  ['wall time', 'sleep 20', { wallTimeMs: 200 }, 'wall-time-exceeded'],
  ['idle time', 'sleep 20', { idleTimeMs: 200 }, 'idle-time-exceeded'],
  ['memory', 'tail /dev/zero', { memoryBytes: 32 * MiB }, 'memory-exceeded'],
  ['output', 'yes', { outputBytes: 1000 }, 'output-exceeded'],
  ['file size', 'dd if=/dev/zero of=big bs=100k count=9', { fileSizeBytes: 200_000 }, 'file-size-exceeded'],
  ['disk', 'dd if=/dev/zero of=big bs=1M count=64', { diskBytes: 8 * MiB }, 'disk-exceeded'],
  ['inodes', 'seq 1000 | while read n; do mkdir d$n; done', { diskInodes: 100 }, 'disk-exceeded'],
];
for (const [name, script, limits, verdict] of endings) {
  test(`a program beyond its ${name} limit is ended for that: ${verdict}`, async () => {
    const all = { ...limitDefaults.run, ...limits };
    const ended = await shell(script, { limits: all });
    const judged = verdictOf(ended, all);
    assert.equal(judged.verdict, verdict, JSON.stringify(ended.report));
    const [limit] = Object.keys(limits);
    assert.equal(judged.exceeded?.limit, limit);
    assert.equal(judged.exceeded?.allowed, Object.values(limits)[0]);
    assert.ok((judged.exceeded?.observed ?? 0) >= 0);
  });
}

test('output is cut exactly at its limit', async () => {
  const { report, stdout } = await shell('yes', limited({ outputBytes: 1234 }));
  assert.deepEqual([stdout.length, report.stdoutTruncated], [1234, true]);
});

test("files that do not fit are the disk limit's doing", async () => {
  const files = [{ path: 'big', isExecutable: false, content: Buffer.alloc(4 * MiB) }];
  const limits = { ...limitDefaults.run, diskBytes: MiB };
  const ended = await shell('true', { files, limits });
  assert.equal(verdictOf(ended, limits).verdict, 'disk-exceeded', JSON.stringify(ended.report));
});

test('a kill ends the run with `client`, whatever it does', async () => {
  const started = Promise.withResolvers<void>();
  const spec = launchSpec(['/bin/sleep', '60'], { layers: ['base'] });
  const launch = launcher.sandbox.launch(spec, { started: () => started.resolve() });
  await started.promise;
  launch.kill();
  launch.kill();
  assert.equal((await launch.report).end, 'client');
});

test('a kept layer is what a later sandbox starts from, until it is released', async () => {
  const files = [{ path: 'in/main.txt', isExecutable: false, content: Buffer.from('source') }];
  const spec = launchSpec(['/bin/sh', '-c', 'cat in/main.txt > made; echo more >> in/main.txt'], {
    ...{ layers: ['base'], files, isKept: true },
  });
  const first = launcher.sandbox.launch(spec);
  assert.equal((await first.report).exitCode, 0);
  const look = () =>
    run(['/bin/sh', '-c', 'cat made in/main.txt; id -u; echo x > in/main.txt'], { kept: [first.kept] });
  for (const ended of await Promise.all([look(), look(), look()])) {
    assert.equal(ended.stdout.toString(), 'sourcesourcemore\n1000\n', JSON.stringify(ended.report));
    assert.equal(ended.report.exitCode, 0);
  }
  launcher.sandbox.release(first.kept);
  const { report } = await look();
  assert.equal(report.end, 'setup-failed');
});

test('many launches at once each get their own output', async () => {
  const numbers = Array.from({ length: 40 }, (_, index) => index);
  const ended = await Promise.all(numbers.map((number) => shell(`echo ${number}; exit ${number}`)));
  for (const number of numbers) {
    assert.deepEqual([ended[number]?.stdout.toString(), ended[number]?.report.exitCode], [`${number}\n`, number]);
  }
});

test('the layer store makes, lists and removes layers; a name is made final once', async () => {
  const { store } = launcher.sandbox;
  const bytes = randomBytes(1000);
  const fill = async (name: string): Promise<void> => {
    await store.create(name);
    const { report } = await run(['/bin/sh', '-c', 'cat > /target/data'], {
      ...{ profile: 'host', layers: [], target: name, directory: '/', stdin: bytes },
    });
    assert.equal(report.exitCode, 0, JSON.stringify(report));
  };
  await fill('made-1');
  assert.equal(await store.commit('made-1', 'sha256-one'), true);
  assert.ok((await store.list()).includes('sha256-one'));
  await fill('made-2');
  assert.equal(await store.commit('made-2', 'sha256-one'), false);
  const { stdout } = await run(['/bin/sha256sum', '/data'], { layers: ['base', 'sha256-one'] });
  assert.ok(stdout.toString().startsWith(createHash('sha256').update(bytes).digest('hex')));
  await store.remove('sha256-one');
  assert.ok(!(await store.list()).includes('sha256-one'));
  await assert.rejects(store.remove('sha256-one'), (error) => error instanceof SystemError);
});

test('gauges count what happened', async () => {
  const { launches, running, kept, residentBytes } = await launcher.sandbox.gauges();
  assert.ok(launches > 50);
  assert.deepEqual([running, kept], [0, 0]);
  assert.ok(residentBytes > 0 && residentBytes < 64 * MiB);
});
