/**
 * Question: how often does the same program get another verdict than before, when its time is not within five hundredths of its limit?
 * Fixed work is judged again and again, beside a busy neighbour, under a limit of processor time below what it takes and under one above it. What it takes is
 * the median of its runs right before, in the same sandbox.
 */

import type { LauncherScenario, ScenarioOptions, ScenarioResult } from '../scenario.ts';
import { percentile, summarise } from '../statistics/quantiles.ts';
import { BusyNeighbour, FixedWork, whyNotHere } from '../workloads/fixed-work.ts';

const WORK_MS = 100;
const JUDGEMENTS = 1000;
const QUICK_JUDGEMENTS = 6;
const MEDIAN_OF = 21;
const QUICK_MEDIAN_OF = 3;
/** Just outside of what would be doubted. */
const DISTANCE = 0.06;

interface Judged {
  readonly limitMs: number;
  readonly isTooSlow: boolean;
  readonly times: number[];
  flips: number;
}

async function judge(work: FixedWork, judged: Judged): Promise<void> {
  const { exceeded, exitCode, cpuTimeMs } = await work.sandboxed(judged.limitMs);
  const isExceeded = exceeded?.limit === 'cpuTimeMs';
  if (!isExceeded && exitCode !== 0) throw new Error(`fixed work ended with ${exitCode}`);
  if (isExceeded !== judged.isTooSlow) judged.flips += 1;
  judged.times.push(cpuTimeMs);
}

async function measure(work: FixedWork, { isQuick }: ScenarioOptions) {
  const takes: number[] = [];
  for (let run = 0; run < (isQuick ? QUICK_MEDIAN_OF : MEDIAN_OF); run += 1) {
    takes.push((await work.sandboxed()).cpuTimeMs);
  }
  const median = percentile(takes, 0.5);
  // Whole milliseconds, rounded away from what it takes.
  const below: Judged = { limitMs: Math.floor(median / (1 + DISTANCE)), isTooSlow: true, times: [], flips: 0 };
  const above: Judged = { limitMs: Math.ceil(median / (1 - DISTANCE)), isTooSlow: false, times: [], flips: 0 };
  for (let count = 0; count < (isQuick ? QUICK_JUDGEMENTS : JUDGEMENTS) / 2; count += 1) {
    await judge(work, below);
    await judge(work, above);
  }
  return { median, below, above };
}

/** The scenario. */
export const verdictFlips: LauncherScenario = {
  name: 'verdict-flips',
  needs: 'launcher',
  question: 'How often does a program whose time is not near its limit get another verdict when it is judged again?',
  async run(launcher, options): Promise<ScenarioResult> {
    const whyNot = whyNotHere(launcher);
    if (whyNot !== null) return { answer: `Left out: ${whyNot}.`, rows: [] };
    const work = FixedWork.calibrate(launcher, WORK_MS); // before there is a neighbour
    const neighbour = await BusyNeighbour.start();
    const { median, below, above } = await measure(work, options).finally(() => neighbour.stop());
    const flips = below.flips + above.flips;
    const judgements = below.times.length + above.times.length;
    return {
      answer: `${flips} of ${judgements} judgements of a program that takes ${median.toFixed(1)} ms came out otherwise, under limits of ${below.limitMs} and ${above.limitMs} ms.`,
      rows: [
        { label: `killed at ${below.limitMs} ms`, summary: summarise(below.times) },
        { label: `done below ${above.limitMs} ms`, summary: summarise(above.times) },
      ],
      goals: [
        {
          promise: 'no other verdict for a program that is not within 5 % of its limit',
          seen: `${flips} of ${judgements}`,
          isReached: flips === 0,
        },
      ],
    };
  },
};
