/**
 * Owns the proof that bad input of every kind becomes a {step, errno} with a sentence, or the verdict of the limit that was too small,
 * costs only who sent it, and that the launcher goes on: it is the same process before and after. Needs root and gcc.
 */
import assert from 'node:assert/strict';
import { readFileSync, renameSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type AllLimits, limitDefaults, limitMaxima, limitNames } from '../../shared/model/limits.ts';
import type { Verdict } from '../../shared/model/verdict.ts';
import { CONTRACT_VERSION } from '../../shared/sandbox/contract.ts';
import { encodeFrame } from '../../shared/sandbox/frames.ts';
import { isJudgeable, judge } from '../../shared/sandbox/judge.ts';
import { toFailureSentence } from '../../shared/sandbox/launch-failure.ts';
import { toLaunchFields } from '../../shared/sandbox/launch-spec.ts';
import type { LaunchReport, LaunchSpec } from '../../shared/sandbox/sandbox.ts';
import { launchSpec } from '../support/launch-spec.ts';
import { compileC, RealLauncher } from '../support/real-launcher.ts';

let launcher: RealLauncher;
before(async () => {
  launcher = await RealLauncher.start('envicutor-refusals');
});
after(() => launcher.stop());

const workspace = '/environment/workspace';
const program = (content: Uint8Array | string, isExecutable = true) => [
  { path: 'main', isExecutable, content: Buffer.from(content) },
];
const run = (argv: readonly string[], changes: Partial<LaunchSpec> = {}): Promise<LaunchReport> =>
  launcher.sandbox.launch(launchSpec(argv, { layers: ['base'], ...changes })).report;
const limited = (limits: Partial<AllLimits>) => ({ limits: { ...limitDefaults.run, ...limits } });

async function assertGoesOn(): Promise<void> {
  const report = await run(['/bin/sh', '-c', 'exit 3']);
  assert.deepEqual([report.end, report.exitCode], ['exited', 3]);
}

const elf = compileC('int main() { return 0; }');
/** The same program, said to be for another machine. */
const foreign = Buffer.from(elf);
foreign.writeUInt16LE(process.arch === 'x64' ? 183 : 62, 18);

const refused: readonly (readonly [
  what: string,
  errno: string,
  changes: Partial<LaunchSpec>,
  argv?: readonly string[],
])[] = [
  ['a program that is missing', 'ENOENT', {}],
  ['a file that is not executable', 'EACCES', { files: program(elf, false) }],
  ['a directory', 'EACCES', {}, ['/usr/bin']],
  ['a path below a file', 'ENOTDIR', {}, ['/etc/passwd/main']],
  ['a name longer than any', 'ENAMETOOLONG', {}, [`/${'x'.repeat(300)}`]],
  ['a program for another machine', 'ENOEXEC', { files: program(foreign) }],
  ['the first bytes of a program', 'ENOEXEC', { files: program(elf.subarray(0, 40)) }],
  ['an empty file', 'ENOEXEC', { files: program('') }],
  ['a text without an interpreter', 'ENOEXEC', { files: program('echo hello\n') }],
  ['a script with a missing interpreter', 'ENOENT', { files: program('#!/usr/bin/no-such-thing\n') }],
  ['a script whose interpreter is a directory', 'EACCES', { files: program('#!/usr/bin\n') }],
  ['a script that interprets itself', 'ELOOP', { files: program(`#!${workspace}/main\n`) }],
  ['a word that is too long', 'E2BIG', {}, ['/bin/true', 'x'.repeat(131_072)]],
  [
    'three megabytes of environment',
    'E2BIG',
    { ...limited({ stackBytes: 8 << 20 }), environment: manyVariables(30) },
    ['/bin/true'],
  ],
];

function manyVariables(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`V${index}`, 'x'.repeat(100_000)]));
}

for (const [what, errno, changes, argv = [`${workspace}/main`]] of refused) {
  test(`${what} is start-failed with ${errno} and a sentence`, async () => {
    const report = await run(argv, changes);
    assert.deepEqual([report.end, report.failure], ['start-failed', { step: 'exec', errno }]);
    const judged = judge({ launch: report, limits: limitDefaults.run, stdout: elf, stderr: elf, slot: null });
    assert.deepEqual([judged.verdict, judged.exitCode, judged.signal], ['start-failed', null, null]);
    assert.match(judged.start?.detail ?? '', new RegExp(`^the program could not be started: .*step exec, ${errno}`));
    assert.equal(report.wallTimeMs, 0);
    await assertGoesOn();
  });
}

test('a linked program whose loader is missing is start-failed, too', async () => {
  const layer = 'loader-missing';
  await launcher.sandbox.store.create(`${layer}-new`);
  const argv = ['/bin/sh', '-c', 'mkdir -p /target/bin && cp /bin/true /target/bin/'];
  const spec = launchSpec(argv, { target: `${layer}-new`, directory: '/', limits: limitDefaults.build });
  assert.equal((await launcher.sandbox.launch({ ...spec, profile: 'host' }).report).exitCode, 0);
  await launcher.sandbox.store.commit(`${layer}-new`, layer);
  const report = await run(['/bin/true'], { layers: [layer] });
  assert.deepEqual([report.end, report.failure?.errno], ['start-failed', 'ENOENT']);
});

for (const name of limitNames) {
  test(`${name} of 0 and of 2^63 are refused before anything starts`, async () => {
    for (const value of [0, 2 ** 63]) {
      const report = await run(['/bin/true'], limited({ [name]: value }));
      assert.deepEqual([report.end, report.failure], ['setup-failed', { step: 'decode', errno: 'EINVAL' }]);
      assert.match(toFailureSentence({ step: 'decode', errno: 'EINVAL' }), /out of its range/);
    }
    await assertGoesOn();
  });
}

/** What a script that writes a file and prints it gets for the smallest limit that the API takes. */
const smallest: Readonly<Record<keyof AllLimits, readonly Verdict[]>> = {
  cpuTimeMs: ['cpu-time-exceeded'],
  wallTimeMs: ['wall-time-exceeded'],
  idleTimeMs: ['idle-time-exceeded', 'ok'],
  memoryBytes: ['memory-exceeded'],
  processes: ['nonzero-exit'],
  outputBytes: ['output-exceeded'],
  fileSizeBytes: ['file-size-exceeded'],
  openFiles: ['nonzero-exit'],
  stackBytes: ['signaled'],
  diskBytes: ['disk-exceeded'],
  diskInodes: ['disk-exceeded'],
};

for (const name of limitNames) {
  test(`${name} of 1 is the program's verdict, never our failure`, async () => {
    const text = 'i=0; while [ $i -lt 2000 ]; do echo 12345; i=$((i+1)); done > f; cat f\n';
    const systemFiles = [{ path: 'script', isExecutable: true, content: Buffer.from(text) }];
    const { limits } = limited({ [name]: 1 });
    const launch = await run(['/bin/sh', '-e', '/run/envicutor/script'], { systemFiles, limits });
    assert.ok(isJudgeable(launch), JSON.stringify(launch));
    const { verdict, exceeded } = judge({ launch, limits, stdout: elf, stderr: elf, slot: null });
    assert.ok(smallest[name].includes(verdict), `${verdict} ${JSON.stringify(launch)}`);
    if (verdict.endsWith('-exceeded')) assert.deepEqual([exceeded?.limit, exceeded?.allowed], [name, 1]);
    await assertGoesOn();
  });
}

test('the largest limits that the API takes can be set on this machine', async () => {
  // Without CAP_SYS_RESOURCE, as in some containers, nobody gets more open files than we were given.
  const own = Number(/^Max open files +\S+ +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? 0);
  const limits = { ...limitMaxima, openFiles: Math.min(own, limitMaxima.openFiles) };
  const report = await run(['/bin/sh', '-c', 'ulimit -n'], { limits });
  assert.deepEqual([report.end, report.exitCode, report.failure], ['exited', 0, null]);
});

test('a layer that vanished is named, whether it was removed or taken away behind our back', async () => {
  const { store } = launcher.sandbox;
  for (const layer of ['vanishing-1', 'vanishing-2']) {
    await store.create(`${layer}-new`);
    await store.commit(`${layer}-new`, layer);
  }
  await store.remove('vanishing-1');
  const folder = join(launcher.folder, 'store');
  renameSync(join(folder, 'vanishing-2'), join(folder, 'vanished')); // whose files an ordinary user could not remove
  for (const layer of ['vanishing-1', 'vanishing-2']) {
    const report = await run(['/bin/true'], { layers: ['base', layer] });
    assert.deepEqual([report.end, report.failure], ['setup-failed', { step: 'layers', errno: 'ENOENT' }]);
    assert.match(toFailureSentence({ step: 'layers', errno: 'ENOENT' }), /not in the store/);
  }
  await assertGoesOn();
});

test('files that do not fit together are named as such', async () => {
  const file = (path: string) => ({ path, isExecutable: false, content: Buffer.from('x') });
  for (const paths of [
    ['a', 'a/b'],
    ['a/b', 'a'],
  ]) {
    const report = await run(['/bin/true'], { files: paths.map(file) });
    assert.deepEqual([report.end, report.failure?.step], ['setup-failed', 'files'], JSON.stringify(report));
  }
  await assertGoesOn();
});

const hello = encodeFrame('HELLO', { version: CONTRACT_VERSION });
const launch = encodeFrame('LAUNCH', toLaunchFields(1, launchSpec(['/bin/true'], { layers: ['base'] })));
/** The frame with its length said to be another. */
const lengthened = (frame: Buffer, by: number): Buffer => {
  const changed = Buffer.concat([frame, Buffer.alloc(Math.max(0, by))]);
  changed.writeUInt32LE(frame.readUInt32LE(0) + by, 0);
  return changed;
};
const broken: Readonly<Record<string, readonly Buffer[]>> = {
  'nothing but zeros': [Buffer.alloc(4096)],
  'a launch before the greeting': [launch],
  'two greetings': [hello, hello],
  'another version': [encodeFrame('HELLO', { version: CONTRACT_VERSION + 1 })],
  'a frame longer than any': [hello, Buffer.from([255, 255, 255, 255, 2])],
  'an empty frame': [hello, Buffer.alloc(4)],
  'an unknown message': [hello, Buffer.from([1, 0, 0, 0, 63])],
  "a launcher's own message": [hello, encodeFrame('DONE', { request: 1, step: 0, errorNumber: 0 })],
  'bytes behind the last field': [hello, lengthened(launch, 3)],
  'a launch that ends early': [hello, lengthened(launch, -3).subarray(0, launch.length - 3)],
  'a list said to be endless': [hello, withEndlessList()],
  'more input than was allowed': [hello, ...input(5)],
};

function withEndlessList(): Buffer {
  const changed = Buffer.from(launch);
  changed.writeUInt32LE(0xffff_ffff, 4 + 1 + 8 + 1); // behind the length, the number, the launch and the profile: its layers
  return changed;
}

function input(count: number): Buffer[] {
  const spec = launchSpec(['/bin/sleep', '30'], { layers: ['base'], stdin: elf });
  const frames = [encodeFrame('LAUNCH', toLaunchFields(1, spec))];
  for (let i = 0; i < count; i++)
    frames.push(encodeFrame('STDIN', { launch: 1, last: 0, data: Buffer.alloc(100_000) }));
  return frames;
}

for (const [what, frames] of Object.entries(broken)) {
  test(`${what}: the connection is closed, and no other`, async () => {
    const other = launcher.sandbox.launch(launchSpec(['/bin/sleep', '30'], { layers: ['base'] }));
    const socket = createConnection(launcher.socketPath);
    const closed = new Promise((resolve) => socket.on('close', resolve));
    socket.on('error', () => {}); // it may be reset while we still write
    socket.resume();
    for (const frame of frames) socket.write(frame);
    await closed;
    await assertGoesOn();
    other.kill();
    assert.equal((await other.report).end, 'client');
  });
}
