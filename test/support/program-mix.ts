/**
 * A mix of programs for soak and chaos: what every client does, and what hostile ones do, each with the one outcome that is right.
 * Never sees a verdict that is wrong without throwing; chance comes from the caller's seed.
 */
import assert from 'node:assert/strict';
import type { LaunchReport, LaunchSpec, Sandbox } from '../../shared/sandbox/sandbox.ts';
import type { Expectation } from '../sandbox/programs/expectation.ts';
import { launchSpec } from './launch-spec.ts';
import { assertExpected, runProgram, themes } from './program-runs.ts';
import type { SeededNumbers } from './seeded-numbers.ts';

/** One thing that a client does; resolves when it came out right. */
export interface Deed {
  readonly name: string;
  readonly launches: number;
  act(sandbox: Sandbox): Promise<void>;
}

const shell = (script: string, changes: Partial<LaunchSpec> = {}) =>
  launchSpec(['/bin/sh', '-c', script], { layers: ['base'], ...changes });

async function heard(sandbox: Sandbox, spec: LaunchSpec): Promise<[LaunchReport, Buffer]> {
  const chunks: Buffer[] = [];
  const stdout = (chunk: Uint8Array) => void chunks.push(Buffer.from(chunk));
  const report = await sandbox.launch(spec, { stdout }).report;
  return [report, Buffer.concat(chunks)];
}

const input = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 251));

async function compileAndRun(sandbox: Sandbox): Promise<void> {
  const compile = sandbox.launch({ ...shell('echo built > program'), isKept: true });
  try {
    assert.equal((await compile.report).exitCode, 0);
    const [report, said] = await heard(sandbox, shell('cat program; echo more >> program', { kept: [compile.kept] }));
    assert.deepEqual([report.exitCode, said.toString()], [0, 'built\n']);
  } finally {
    sandbox.release(compile.kept);
  }
}

async function cancel(sandbox: Sandbox): Promise<void> {
  const started = Promise.withResolvers<void>();
  const launch = sandbox.launch(shell('sleep 60 & sleep 60'), { started: () => started.resolve() });
  await Promise.race([started.promise, launch.report]);
  launch.kill();
  assert.equal((await launch.report).end, 'client');
}

const plain: readonly Deed[] = [
  {
    name: 'nothing',
    launches: 1,
    act: async (sandbox) => assert.equal((await sandbox.launch(shell('exit 0')).report).exitCode, 0),
  },
  {
    name: 'exit code',
    launches: 1,
    act: async (sandbox) => assert.equal((await sandbox.launch(shell('exit 7')).report).exitCode, 7),
  },
  {
    name: 'echo of its input',
    launches: 1,
    act: async (sandbox) => {
      const [report, said] = await heard(sandbox, shell('cat', { stdin: input }));
      assert.deepEqual([report.exitCode, said.equals(input), report.stdinBytes], [0, true, input.length]);
    },
  },
  {
    name: 'much output',
    launches: 1,
    act: async (sandbox) => {
      const [report, said] = await heard(sandbox, shell('head -c 300000 /dev/zero'));
      assert.deepEqual([report.exitCode, said.length], [0, 300_000]);
    },
  },
  {
    name: 'files',
    launches: 1,
    act: async (sandbox) => {
      const files = [{ path: 'folder/main.txt', isExecutable: false, content: input }];
      const [report, said] = await heard(sandbox, shell('cat folder/main.txt', { files }));
      assert.deepEqual([report.exitCode, said.equals(input)], [0, true]);
    },
  },
  { name: 'compile and run', launches: 2, act: compileAndRun },
  { name: 'cancel', launches: 1, act: cancel },
  {
    name: 'missing program',
    launches: 1,
    act: async (sandbox) =>
      assert.equal((await sandbox.launch(launchSpec(['/nope'], { layers: ['base'] })).report).end, 'start-failed'),
  },
  {
    name: 'missing layer',
    launches: 1,
    act: async (sandbox) =>
      assert.equal((await sandbox.launch(shell('true', { layers: ['gone'] })).report).failure?.step, 'layers'),
  },
  {
    name: 'value out of range',
    launches: 1,
    act: async (sandbox) =>
      assert.equal((await sandbox.launch(shell('true', { cpuShares: 0 })).report).failure?.step, 'decode'),
  },
];

/** Take seconds each, or live of memory that the kernel gives back in time only when nobody else is busy: programs.test.ts has them alone. */
const unfit: ReadonlySet<string> = new Set([
  'exhaustion/deep-directories',
  'exhaustion/heap',
  'clean-up/deep-tree',
  'exhaustion/lookups',
  'exhaustion/drop-pages',
  'exhaustion/page-cache',
]);

function isRepeatable(name: string, { stdin }: Expectation): boolean {
  return !unfit.has(name) && (stdin === undefined || stdin instanceof Uint8Array);
}

/** Eight clients share two processors: a program that waits for its turn is not to meet a limit that is not its subject. */
function withPatience(expected: Expectation): Expectation {
  const patience = expected.exceeded?.endsWith('TimeMs') ? {} : { wallTimeMs: 120_000, idleTimeMs: 120_000 };
  return { ...expected, limits: { ...patience, ...expected.limits } };
}

const hostile: readonly Deed[] = Object.entries(themes).flatMap(([theme, programs]) =>
  Object.entries(programs)
    .filter(([name, expected]) => isRepeatable(`${theme}/${name}`, expected))
    .map(([name, expected]) => [name, withPatience(expected)] as const)
    .map(([name, expected]) => ({
      name: `${theme}/${name}`,
      launches: 1,
      act: async (sandbox) =>
        assertExpected(
          await runProgram(sandbox, ['/attack', `${theme}/${name}`, ...(expected.words ?? [])], expected),
          expected,
          sandbox.facts.missing,
        ),
    })),
);

/** The next deed: one of four is a hostile program. */
export function nextDeed(random: SeededNumbers): Deed {
  return random.of(random.below(4) === 0 ? hostile : plain);
}
