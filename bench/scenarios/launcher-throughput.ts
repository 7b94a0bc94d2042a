/**
 * Question: how many sandboxed programs per second does one launcher start and end, next to Node's own unsandboxed spawn?
 * The same Node process asks for both, the spawn from one that does nothing else, with as many in flight; windows of a fixed length, interleaved, each begun when the launcher has
 * nothing left to tidy up. A window is long beside the stock of prepared sandboxes, so that making new ones and removing old ones is in it.
 */

import { perSecond, windowsFor } from '../load/windows.ts';
import { RuntimeSpawner } from '../peers/runtime-spawn.ts';
import type { Goal } from '../recording/recording.ts';
import type { LauncherScenario, ScenarioResult, ScenarioRow } from '../scenario.ts';
import { summarise } from '../statistics/quantiles.ts';
import { toFigure } from '../wording.ts';
import type { BenchLauncher } from '../workloads/bench-launcher.ts';

const PROGRAM = '/bin/true';
const IN_FLIGHT = [1, 2, 4, 8] as const;
const TIMES_SPAWN = 1.2;

/** The two that are asked. */
interface Asked {
  readonly launcher: BenchLauncher;
  readonly spawner: RuntimeSpawner;
}

async function measure({ launcher, spawner }: Asked, inFlight: number, windows: number, windowMs: number) {
  const spec = launcher.spec([PROGRAM]);
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let window = 0; window < windows; window++) {
    await launcher.settled();
    theirs.push(await perSecond(inFlight, windowMs, () => spawner.round(PROGRAM)));
    ours.push(await perSecond(inFlight, windowMs, () => launcher.run(spec)));
  }
  return { ours: summarise(ours), theirs: summarise(theirs) };
}

/** The scenario. */
export const launcherThroughput: LauncherScenario = {
  name: 'launcher-throughput',
  needs: 'launcher',
  question: "How many programs per second, next to Node's own spawn without a sandbox?",
  async run(launcher, options): Promise<ScenarioResult> {
    const { windows, windowMs } = windowsFor(options.rounds);
    const rows: ScenarioRow[] = [];
    const goals: Goal[] = [];
    await perSecond(2, 500, () => launcher.run(launcher.spec([PROGRAM])));
    const spawner = new RuntimeSpawner();
    try {
      for (const inFlight of IN_FLIGHT) {
        const { ours, theirs } = await measure({ launcher, spawner }, inFlight, windows, windowMs);
        rows.push({ label: `Node's spawn, ${inFlight} in flight`, summary: theirs });
        rows.push({ label: `envicutor, ${inFlight} in flight`, summary: ours, against: theirs });
        goals.push({
          promise: `≥ ${TIMES_SPAWN} × Node's spawn, ${inFlight} in flight`,
          seen: `${(ours.p50 / theirs.p50).toFixed(2)} × (${ours.p50.toFixed(0)}/s against ${theirs.p50.toFixed(0)}/s)`,
          isReached: ours.p50 >= TIMES_SPAWN * theirs.p50,
        });
      }
    } finally {
      await spawner.stop();
    }
    const most = rows.filter(({ against }) => against !== undefined).map(({ summary }) => summary.p50);
    return {
      answer: `At most ${toFigure(Math.max(...most))} programs a second, one of our sandboxes for each.`,
      plots: [
        {
          kind: 'curve',
          title: 'Programs a second',
          x: 'in flight',
          lines: ["Node's spawn", 'envicutor'].map((label) => ({
            label,
            points: IN_FLIGHT.map((inFlight) => ({ x: inFlight, row: `${label}, ${inFlight} in flight` })),
          })),
        },
      ],
      unit: 'runs/s',
      rows,
      goals,
      notes: ['A sample is one window; × is the p50 as a multiple of the spawn above it.'],
    };
  },
};
