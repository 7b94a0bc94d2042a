/**
 * Runs hostile programs of test/sandbox/programs in a real launcher and holds what came out against their expectation.
 * Never decides what is expected. Invariant: a report that the launcher could not give is the caller's error to see, not a verdict.
 */
import assert from 'node:assert/strict';
import { limitDefaults } from '../../shared/model/limits.ts';
import type { Report } from '../../shared/model/verdict.ts';
import { judge } from '../../shared/sandbox/judge.ts';
import { OutputBuffer } from '../../shared/sandbox/output-buffer.ts';
import type { CollectedFile, CollectedState, LaunchSpec, Sandbox } from '../../shared/sandbox/sandbox.ts';
import { cleanUp } from '../sandbox/programs/clean-up/expectations.ts';
import { escapes } from '../sandbox/programs/escape/expectations.ts';
import { exhaustion } from '../sandbox/programs/exhaustion/expectations.ts';
import type { Expectation } from '../sandbox/programs/expectation.ts';
import { inspection } from '../sandbox/programs/inspection/expectations.ts';
import { ioEdge } from '../sandbox/programs/io-edge/expectations.ts';
import { verdictHonesty } from '../sandbox/programs/verdict-honesty/expectations.ts';
import { compileAttacks } from './attack-programs.ts';
import { patience } from './guest.ts';
import { launchSpec } from './launch-spec.ts';

/** The themes whose programs are alone in what they try. */
export const themes: Readonly<Record<string, Readonly<Record<string, Expectation>>>> = {
  exhaustion,
  escape: escapes,
  inspection,
  'verdict-honesty': verdictHonesty,
  'io-edge': ioEdge,
  'clean-up': cleanUp,
};

const limits = {
  ...limitDefaults.run,
  cpuTimeMs: 4000 * patience,
  wallTimeMs: 8000 * patience,
  idleTimeMs: 8000 * patience,
  memoryBytes: 128 << 20,
};

/** Compiles the programs and makes them the layer `attacks`. */
export async function addAttacks(sandbox: Sandbox): Promise<void> {
  const attacks = await compileAttacks();
  await sandbox.store.create('attacks-new');
  const argv = ['/bin/sh', '-c', 'cat > /target/attack && chmod 755 /target/attack'];
  const spec = launchSpec(argv, { target: 'attacks-new', directory: '/', stdin: attacks, limits: limitDefaults.build });
  assert.equal((await sandbox.launch({ ...spec, profile: 'host' }).report).exitCode, 0);
  await sandbox.store.commit('attacks-new', 'attacks');
}

/** One run of `argv` on the layers `base` and `attacks`. */
export function toSpec(argv: readonly string[], expected: Expectation): LaunchSpec {
  const { stdin = null, files = [], environment = {}, cpus = null, terminal = null } = expected;
  const collect = expected.collected === undefined ? null : { patterns: ['**'], bytesMax: 1 << 20, filesMax: 100 };
  const own = { ...limits, ...expected.limits };
  const given = { stdin, files, environment, cpus, terminal, collect };
  return launchSpec(argv, { layers: ['base', 'attacks'], limits: own, ...given });
}

/** Runs it and judges it. */
export async function runProgram(sandbox: Sandbox, argv: readonly string[], expected: Expectation): Promise<Report> {
  const stdout = new OutputBuffer();
  const stderr = new OutputBuffer();
  const collected: Record<string, CollectedState> = {};
  const listener = {
    stdout: stdout.append.bind(stdout),
    stderr: stderr.append.bind(stderr),
    collected: ({ path, state }: CollectedFile): void => void Object.assign(collected, { [path]: state }),
  };
  const spec = toSpec(argv, expected);
  const launch = await sandbox.launch(spec, listener).report;
  if (expected.collected !== undefined) assert.deepEqual(collected, expected.collected);
  return judge({ launch, limits: spec.limits, stdout: stdout.bytes(), stderr: stderr.bytes(), slot: null });
}

/** Throws when the report is not the expected one, on a host without the things named `missing`. */
export function assertExpected(report: Report, expected: Expectation, missing: readonly string[]): void {
  const { verdict = 'ok', signal = null, exceeded } = expected;
  const exitCode = expected.exitCode === undefined && verdict === 'ok' ? 0 : (expected.exitCode ?? null);
  const all = JSON.stringify({ ...report, stdout: report.stdout.slice(0, 2000) });
  assert.deepEqual([report.verdict, report.exceeded?.limit], [verdict, exceeded], all);
  if (exitCode !== 'any') assert.deepEqual([report.exitCode, report.signal], [exitCode, signal], all);
  const instead = missing.map((name) => expected.missing?.[name]).find((says) => says !== undefined);
  assertSaid(report.stdout, instead ?? expected.says);
  assertSaid(report.stderr, expected.stderr);
  expected.check?.(report);
}

function assertSaid(text: string, expected: string | RegExp = ''): void {
  if (expected instanceof RegExp) assert.match(text, expected);
  else assert.equal(text, expected);
}
