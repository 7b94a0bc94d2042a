/**
 * Owns the run of every hostile program in the real launcher: what it said, how it was judged, and that nothing of it is left.
 * Never says what is expected: each theme's expectations.ts does, beside its programs. Needs root and gcc.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { limitDefaults } from '../../shared/model/limits.ts';
import type { Report } from '../../shared/model/verdict.ts';
import { judge } from '../../shared/sandbox/judge.ts';
import { OutputBuffer } from '../../shared/sandbox/output-buffer.ts';
import type { LaunchSpec } from '../../shared/sandbox/sandbox.ts';
import { attackNames, compileAttacks, intentOf } from '../support/attack-programs.ts';
import { HostObserver, type HostTraces } from '../support/host-traces.ts';
import { launchSpec } from '../support/launch-spec.ts';
import { RealLauncher } from '../support/real-launcher.ts';
import { cleanUp } from './programs/clean-up/expectations.ts';
import { covertChannel } from './programs/covert-channel/expectations.ts';
import { escapes } from './programs/escape/expectations.ts';
import { exhaustion } from './programs/exhaustion/expectations.ts';
import type { Expectation } from './programs/expectation.ts';
import { inspection } from './programs/inspection/expectations.ts';
import { ioEdge } from './programs/io-edge/expectations.ts';
import { verdictHonesty } from './programs/verdict-honesty/expectations.ts';

const themes: Readonly<Record<string, Readonly<Record<string, Expectation>>>> = {
  exhaustion,
  escape: escapes,
  inspection,
  'verdict-honesty': verdictHonesty,
  'io-edge': ioEdge,
  'clean-up': cleanUp,
};
const cgroup = 'envicutor-programs';
const limits = { ...limitDefaults.run, cpuTimeMs: 4000, wallTimeMs: 8000, idleTimeMs: 8000, memoryBytes: 128 << 20 };

let launcher: RealLauncher;
let host: HostObserver;
let clean: HostTraces;
before(async () => {
  const attacks = await compileAttacks();
  launcher = await RealLauncher.start(cgroup);
  await makeLayer(attacks);
  host = new HostObserver(launcher.folder, `envicutor-${cgroup}-${process.pid}`);
  await run(['/bin/true'], {});
  clean = host.look();
});
after(() => launcher.stop());

async function makeLayer(attacks: Buffer): Promise<void> {
  const { store } = launcher.sandbox;
  await store.create('attacks-new');
  const argv = ['/bin/sh', '-c', 'cat > /target/attack && chmod 755 /target/attack'];
  const spec = launchSpec(argv, { target: 'attacks-new', directory: '/', stdin: attacks, limits: limitDefaults.build });
  assert.equal((await launcher.sandbox.launch({ ...spec, profile: 'host' }).report).exitCode, 0);
  await store.commit('attacks-new', 'attacks');
}

function toSpec(argv: readonly string[], expected: Expectation): LaunchSpec {
  const { stdin = null, files = [], environment = {}, cpus = null } = expected;
  const own = { ...limits, ...expected.limits };
  return launchSpec(argv, { layers: ['base', 'attacks'], limits: own, stdin, files, environment, cpus });
}

async function run(argv: readonly string[], expected: Expectation): Promise<Report> {
  const stdout = new OutputBuffer();
  const stderr = new OutputBuffer();
  const listener = { stdout: stdout.append.bind(stdout), stderr: stderr.append.bind(stderr) };
  const spec = toSpec(argv, expected);
  const launch = await launcher.sandbox.launch(spec, listener).report;
  return judge({ launch, limits: spec.limits, stdout: stdout.bytes(), stderr: stderr.bytes(), slot: null });
}

/** Cgroups and mounts are removed behind a run's back, so this waits for them, but not for long. */
async function assertNothingLeft(): Promise<void> {
  let traces = host.look();
  for (let tries = 0; tries < 200 && JSON.stringify(traces) !== JSON.stringify(clean); tries++) {
    await wait(10);
    traces = host.look();
  }
  assert.deepEqual(traces, clean);
  assert.equal((await launcher.sandbox.gauges()).running, 0);
}

function assertExpected(report: Report, expected: Expectation): void {
  const { verdict = 'ok', signal = null, exceeded } = expected;
  const exitCode = expected.exitCode === undefined && verdict === 'ok' ? 0 : (expected.exitCode ?? null);
  const all = JSON.stringify({ ...report, stdout: report.stdout.slice(0, 2000) });
  assert.deepEqual([report.verdict, report.exceeded?.limit], [verdict, exceeded], all);
  if (exitCode !== 'any') assert.deepEqual([report.exitCode, report.signal], [exitCode, signal], all);
  assertSaid(report.stdout, expected.says);
  assertSaid(report.stderr, expected.stderr);
  expected.check?.(report);
}

function assertSaid(text: string, expected: string | RegExp = ''): void {
  if (expected instanceof RegExp) assert.match(text, expected);
  else assert.equal(text, expected);
}

for (const [theme, programs] of Object.entries(themes)) {
  for (const [name, expected] of Object.entries(programs)) {
    test(`${theme}: ${intentOf(`${theme}/${name}`)}`, async () => {
      const report = await run(['/attack', `${theme}/${name}`, ...(expected.words ?? [])], expected);
      assertExpected(report, expected);
      await assertNothingLeft();
    });
  }
}

for (const [name, expected] of Object.entries(covertChannel)) {
  test(`covert-channel: ${intentOf(`covert-channel/${name}`)}`, async () => {
    const program = ['/attack', `covert-channel/${name}`];
    const said = Promise.withResolvers<string>();
    let heard = '';
    const leaving = launcher.sandbox.launch(toSpec([...program, 'leave'], expected), {
      stdout: (chunk) => {
        heard += Buffer.from(chunk).toString();
        if (heard.endsWith('left\n')) said.resolve('left');
      },
    });
    try {
      const came = await Promise.race([said.promise, leaving.report.then((report) => JSON.stringify(report))]);
      assert.equal(came, 'left', heard);
      assertExpected(await run([...program, 'look'], expected), expected);
    } finally {
      leaving.kill();
      await leaving.report;
    }
    assert.equal((await leaving.report).end, 'client');
    assertExpected(await run([...program, 'look'], expected), expected);
    await assertNothingLeft();
  });
}

test('every program has its expectation, and every expectation its program', () => {
  const all = { ...themes, 'covert-channel': covertChannel };
  const expected = Object.entries(all).flatMap(([theme, programs]) =>
    Object.keys(programs).map((name) => `${theme}/${name}`),
  );
  assert.deepEqual(expected.sort(), attackNames());
});
