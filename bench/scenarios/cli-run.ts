/**
 * Question: how long does `envicutor run hello.cpp` take when everything is there, and where does that go?
 * Whole commands as a shell starts them, each from its spawn to its exit, next to the machine's own compiler on the same source, one after the other, and next to
 * a command that asks nobody, which is what the program's own start costs.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Execution } from '../../shared/model/execution.ts';
import type { InstanceScenario, ScenarioResult } from '../scenario.ts';
import { summarise } from '../statistics/quantiles.ts';
import { toDuration, toMultiple } from '../wording.ts';

const root = join(import.meta.dirname, '../..');
const program = join(root, 'bin/envicutor');
const source = join(root, 'ops/environments/cpp/hello/main.cpp');
/** What was promised. */
const WHOLE_MS = 300;
const COMPILER = '/usr/bin/g++';
const ROUNDS_MAX = 40;

const parts = ['start', 'compile', 'run', 'else'] as const;
type Part = (typeof parts)[number];

/** Runs a command to its end; milliseconds and what it wrote. */
async function timed(command: string, words: readonly string[], variables: Record<string, string>) {
  const from = performance.now();
  const env = { PATH: process.env['PATH'] ?? '', ...variables };
  const child = spawn(command, [...words], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const [stdout, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  if (code !== 0) throw new Error(`${command} ${words.join(' ')} exited with ${code}`);
  return { ms: performance.now() - from, stdout };
}

/** The scenario; the recipe's environment is built before anything is measured. */
export const cliRun: InstanceScenario = {
  needs: 'instance',
  name: 'cli-run',
  question: 'How long does a warm `envicutor run hello.cpp` take, and where does that go?',
  async run(target, options): Promise<ScenarioResult> {
    const home = mkdtempSync(join(tmpdir(), 'envicutor-bench-cli-'));
    const variables = { HOME: home, ENVICUTOR_URL: target.url };
    const hasCompiler = existsSync(COMPILER);
    const [ours, bare] = [[] as number[], [] as number[]];
    const split: Record<Part, number[]> = { start: [], compile: [], run: [], else: [] };
    const round = async (isKept: boolean) => {
      const start = await timed(program, ['--version'], variables);
      const whole = await timed(program, ['run', source, '--json'], variables);
      const { verdict, compile, run } = JSON.parse(whole.stdout) as Execution;
      if (verdict !== 'ok') throw new Error(`the program came to ${verdict}`);
      const host = `g++ -std=c++20 -O2 -Wall -o ${home}/program ${source} && ${home}/program`;
      if (hasCompiler) bare.push((await timed('/bin/sh', ['-c', host], variables)).ms);
      if (!isKept) return;
      const compileMs = compile?.usage.wallTimeMs ?? 0;
      const runMs = run?.usage.wallTimeMs ?? 0;
      ours.push(whole.ms);
      split.start.push(start.ms);
      split.compile.push(compileMs);
      split.run.push(runMs);
      split.else.push(whole.ms - start.ms - compileMs - runMs);
    };
    try {
      await timed(program, ['env', 'build', 'cpp', '--quiet'], variables);
      const rounds = Math.min(options.rounds, ROUNDS_MAX);
      for (let warm = 0; warm < Math.min(options.warmUp, 3); warm += 1) await round(false);
      bare.length = 0;
      while (ours.length < rounds) await round(true);
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
    const whole = summarise(ours);
    const against = hasCompiler ? summarise(bare) : null;
    const part = (name: Part) => summarise(split[name]).p50;
    const said = parts.map((name) => `${name} ${toDuration(part(name))}`).join(', ');
    const multiple = against === null ? '' : toMultiple(whole.p50, against.p50, "the machine's own g++ and program");
    return {
      answer: `A warm envicutor run hello.cpp takes ${toDuration(whole.p50)} at p50 (${said})${multiple}.`,
      rows: [
        { label: 'envicutor run hello.cpp', summary: whole, ...(against === null ? {} : { against }) },
        ...parts.map((name) => ({ label: `of which ${name}`, summary: summarise(split[name]) })),
        ...(against === null ? [] : [{ label: 'g++ hello.cpp && ./program, no sandbox', summary: against }]),
      ],
      goals: [
        {
          promise: `p50: ≤ ${WHOLE_MS} ms, compile included`,
          seen: toDuration(whole.p50),
          isReached: whole.p50 <= WHOLE_MS,
        },
      ],
      notes: [
        'start is a whole envicutor --version, taken just before; else is the rest: three requests, queue, sandboxes, the answer read.',
        "The two compilers may be of different versions: one is the recipe's, the other the machine's.",
      ],
      absent: hasCompiler ? [] : [{ name: 'g++', why: `there is no ${COMPILER}` }],
    };
  },
};
