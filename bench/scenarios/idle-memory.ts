/**
 * Question: what does a prepared sandbox cost while nobody uses it, and what does the launcher cost?
 * Processes by their proportional set size (init and payload of a shell; the launcher itself after it has worked), the kernel by its own books
 * before and after the stock has grown. go-judge beside: its server and its idle containers after as many runs.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { descendantsOf, kernelBytes, proportionalBytes } from '../gauges/process-memory.ts';
import { GoJudge, noGoJudge } from '../peers/go-judge.ts';
import type { Goal } from '../recording/recording.ts';
import type { LauncherScenario, ScenarioResult, ScenarioRow } from '../scenario.ts';
import { summarise } from '../statistics/quantiles.ts';
import { toFigure } from '../wording.ts';
import type { BenchLauncher } from '../workloads/bench-launcher.ts';

const MEBIBYTE = 1024 * 1024;
const SHELL_MEBIBYTES = 1;
const LAUNCHER_MEBIBYTES = 4;
/** So many at once make the stock grow to its most, which is 16. */
const AT_ONCE = 16;

const inMebibytes = (bytes: number) => bytes / MEBIBYTE;

/** Memory of each shell's processes together; a shell is a child of the launcher with its own child. */
function shells(launcher: BenchLauncher): number[] {
  const all = descendantsOf(launcher.pid);
  return all
    .filter((pid) => descendantsOf(pid).length > 0)
    .map((init) => inMebibytes([init, ...descendantsOf(init)].reduce((sum, pid) => sum + proportionalBytes(pid), 0)));
}

/** The kernel's books when they have stopped falling: namespaces are taken down in the background. */
async function settledKernel(): Promise<number> {
  const seen: number[] = [];
  for (let look = 0; look < 10; look++) {
    seen.push(kernelBytes());
    await pause(100);
  }
  return Math.min(...seen);
}

async function growStock(launcher: BenchLauncher): Promise<void> {
  const spec = launcher.spec(['/bin/sleep', '0.3']);
  await Promise.all(Array.from({ length: AT_ONCE }, () => launcher.run(spec)));
  await launcher.settled();
}

async function ofGoJudge(runs: number): Promise<ScenarioRow[]> {
  const goJudge = await GoJudge.start();
  if (goJudge === null) return [];
  try {
    for (let run = 0; run < runs; run++) await goJudge.run({ args: ['/bin/true'] });
    const containers = descendantsOf(goJudge.pid).map((pid) => inMebibytes(proportionalBytes(pid)));
    return [
      { label: 'go-judge: server', summary: summarise([inMebibytes(proportionalBytes(goJudge.pid))]) },
      { label: 'go-judge: idle container, processes', summary: summarise(containers) },
    ];
  } finally {
    await goJudge.stop();
  }
}

/** The scenario. */
export const idleMemory: LauncherScenario = {
  name: 'idle-memory',
  needs: 'launcher',
  question: 'What does a prepared sandbox hold while it waits, and the launcher?',
  async run(launcher, options): Promise<ScenarioResult> {
    const theirs = await ofGoJudge(options.rounds);
    await launcher.settled();
    const [before, kernelBefore] = [shells(launcher).length, await settledKernel()];
    await growStock(launcher);
    const [waiting, kernelAfter] = [shells(launcher), await settledKernel()];
    const perShell =
      waiting.length > before ? inMebibytes((kernelAfter - kernelBefore) / (waiting.length - before)) : Number.NaN;
    for (let run = 0; run < options.rounds; run++) await launcher.run(launcher.spec(['/bin/true']));
    await launcher.settled();
    const own = inMebibytes(proportionalBytes(launcher.pid));
    const shell = summarise(waiting);
    const goals: Goal[] = [
      {
        promise: `a waiting shell's processes: ≤ ${SHELL_MEBIBYTES} MiB`,
        seen: `${shell.p99.toFixed(2)} MiB`,
        isReached: shell.p99 <= SHELL_MEBIBYTES,
      },
      {
        promise: `a waiting shell with what the kernel holds for it: ≤ ${SHELL_MEBIBYTES} MiB`,
        seen: `${(shell.p99 + perShell).toFixed(2)} MiB`,
        isReached: shell.p99 + perShell <= SHELL_MEBIBYTES,
      },
      {
        promise: `the launcher: ≤ ${LAUNCHER_MEBIBYTES} MiB`,
        seen: `${own.toFixed(2)} MiB`,
        isReached: own <= LAUNCHER_MEBIBYTES,
      },
    ];
    const rows: ScenarioRow[] = [
      { label: 'envicutor: waiting shell, processes', summary: shell },
      {
        label: `envicutor: waiting shell, kernel (of ${waiting.length - before} more)`,
        summary: summarise([perShell]),
      },
      { label: `envicutor: launcher after ${options.rounds} runs`, summary: summarise([own]) },
      ...theirs,
    ];
    const notes = [
      'Processes: proportional set size. Kernel: growth of unreclaimable slabs, stacks, page tables and per-cpu areas.',
    ];
    return {
      answer: `A waiting shell holds ${toFigure(shell.p99)} MiB in its processes and ${toFigure(perShell)} MiB in the kernel; the launcher holds ${toFigure(own)} MiB.`,
      ...{ unit: 'MiB', rows, goals, notes, absent: theirs.length === 0 ? [noGoJudge] : [] },
      plots: [{ kind: 'bars', title: 'Memory while nothing runs', rows: rows.map(({ label }) => label) }],
    };
  },
};
