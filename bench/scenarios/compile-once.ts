/**
 * Question: what does a run pay for what an earlier run compiled?
 * One run leaves a program in its workspace and its writable layer is kept; then rounds of: that program from the kept layer, the same program
 * from an ordinary layer, and the same program sent along as a file. go-judge beside, from its own store of cached files.
 */
import { readFileSync } from 'node:fs';
import { GoJudge, noGoJudge } from '../peers/go-judge.ts';
import type { Goal } from '../recording/recording.ts';
import type { LauncherScenario, ScenarioResult, ScenarioRow } from '../scenario.ts';
import { summarise } from '../statistics/quantiles.ts';
import { toDuration } from '../wording.ts';
import type { BenchLauncher } from '../workloads/bench-launcher.ts';
import { compiledProgram } from '../workloads/compiled-program.ts';

const RUNS = 100;
const ADDED_MS = 0.2;
const parameters = ['0', '1'] as const;

async function timed(round: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await round();
  return performance.now() - from;
}

/** Puts the program into go-judge's store; a round that runs it from there. */
async function fromStore(goJudge: GoJudge): Promise<() => Promise<void>> {
  const compile = await goJudge.run({
    args: ['/bin/cp', 'spin', 'compiled'],
    copyIn: { spin: { src: compiledProgram('programs/spin.c') } },
    copyOutCached: ['compiled'],
  });
  const fileId = compile.fileIds?.['compiled'];
  if (fileId === undefined) throw new Error(`go-judge kept nothing: ${JSON.stringify(compile)}`);
  return async () => {
    const { status } = await goJudge.run({ args: ['compiled', ...parameters], copyIn: { compiled: { fileId } } });
    if (status !== 'Accepted') throw new Error(`go-judge says ${status}`);
  };
}

async function rounds(launcher: BenchLauncher): Promise<ReadonlyMap<string, () => Promise<unknown>>> {
  const compiled = launcher.sandbox.launch(launcher.spec(['/bin/cp', '/programs/spin', 'compiled'], { isKept: true }));
  await compiled.report;
  const own = ['./compiled', ...parameters];
  const kept = launcher.spec(own, { kept: [compiled.kept] });
  const without = launcher.spec(['/programs/spin', ...parameters]);
  const content = readFileSync(compiledProgram('programs/spin.c'));
  const sent = launcher.spec(own, { files: [{ path: 'compiled', isExecutable: true, content }] });
  return new Map([
    ['without a kept layer', () => launcher.run(without)],
    ['from the kept layer', () => launcher.run(kept)],
    [`sent along as a file of ${Math.round(content.length / 1024)} KiB`, () => launcher.run(sent)],
  ]);
}

/** The scenario. */
export const compileOnce: LauncherScenario = {
  name: 'compile-once',
  needs: 'launcher',
  question: `What does each of ${RUNS} runs pay for what one run compiled?`,
  async run(launcher, options): Promise<ScenarioResult> {
    const goJudge = await GoJudge.start();
    try {
      const ways = new Map(await rounds(launcher));
      if (goJudge !== null) ways.set('go-judge, from its store', await fromStore(goJudge));
      const samples = new Map([...ways.keys()].map((label) => [label, [] as number[]]));
      for (let run = 0; run < Math.min(RUNS, options.rounds); run++) {
        for (const [label, round] of ways) {
          samples.get(label)?.push(await timed(round));
          await launcher.settled();
        }
      }
      const [without, kept] = [...samples.values()].map(summarise);
      if (without === undefined || kept === undefined) throw new Error('nothing was measured');
      const rows: ScenarioRow[] = [...samples].map(([label, each], index) => ({
        label,
        summary: summarise(each),
        ...(index === 0 ? {} : { against: without }),
      }));
      const added = kept.p50 - without.p50;
      const goals: Goal[] = [
        {
          promise: `a kept layer adds ≤ ${ADDED_MS} ms p50`,
          seen: `${added.toFixed(2)} ms`,
          isReached: added <= ADDED_MS,
        },
      ];
      const notes = ['× is the p50 as a multiple of a run without a kept layer.'];
      return {
        answer: `A run from the kept layer takes ${toDuration(kept.p50)}, ${toDuration(added)} more than one without it (p50).`,
        ...{ rows, goals, notes, absent: goJudge === null ? [noGoJudge] : [] },
        plots: [{ kind: 'distribution', title: 'A run of what was compiled', rows: [...samples.keys()] }],
      };
    } finally {
      await goJudge?.stop();
    }
  },
};
