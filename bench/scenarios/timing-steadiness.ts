/**
 * Question: how much do the times of a calibrated program differ from run to run, while a neighbour keeps the other processor busy?
 * Fixed work of a second on a processor of its own, in a sandbox and bare, alone and beside the neighbour, by turns. What differs is told as the coefficient
 * of variation: the standard deviation as a part of the mean, of the processor time that was charged.
 */
import { summarise as summariseTimes } from '../../agent/timing/calibrations.ts';
import type { LauncherScenario, ScenarioOptions, ScenarioResult } from '../scenario.ts';
import { summarise } from '../statistics/quantiles.ts';
import type { BenchLauncher } from '../workloads/bench-launcher.ts';
import { BusyNeighbour, FixedWork, whyNotHere } from '../workloads/fixed-work.ts';

const WORK_MS = 1000;
const QUICK_WORK_MS = 50;
const ROUNDS_OF = 16;
const VARIATION_MAX = 0.01;

interface Series {
  readonly sandboxed: number[];
  readonly bare: number[];
}

const variationOf = (times: readonly number[]) => summariseTimes(times).coefficientOfVariation;
const toPercent = (part: number) => `${(part * 100).toFixed(2)} %`;

/** Two standard errors of the ratio of two coefficients of variation, for times that scatter as the normal distribution does. */
const knownWithin = (samples: number) => 2 / Math.sqrt(Math.max(1, samples - 1));

async function runSandboxed(work: FixedWork): Promise<number> {
  const { exitCode, cpuTimeMs } = await work.sandboxed();
  if (exitCode !== 0) throw new Error(`fixed work in a sandbox ended with ${exitCode}`);
  return cpuTimeMs;
}

/** Each is the first one as often as the other, so that nothing that comes with the beginning is one's alone. */
async function runOnce(work: FixedWork, { sandboxed, bare }: Series, isBareFirst: boolean): Promise<void> {
  if (isBareFirst) bare.push(work.bare());
  sandboxed.push(await runSandboxed(work));
  if (!isBareFirst) bare.push(work.bare());
}

async function measure(launcher: BenchLauncher, { rounds, isQuick }: ScenarioOptions) {
  const work = FixedWork.calibrate(launcher, isQuick ? QUICK_WORK_MS : WORK_MS);
  const alone: Series = { sandboxed: [], bare: [] };
  const beside: Series = { sandboxed: [], bare: [] };
  await runOnce(work, { sandboxed: [], bare: [] }, false); // files come into memory, and the processor to its pace
  for (let round = 0; round < (isQuick ? 2 : Math.ceil(rounds / ROUNDS_OF)); round += 1) {
    const isBareFirst = round % 2 === 1;
    await runOnce(work, alone, isBareFirst);
    const neighbour = await BusyNeighbour.start();
    await runOnce(work, beside, isBareFirst).finally(() => neighbour.stop());
  }
  return { alone, beside };
}

/** The scenario. */
export const timingSteadiness: LauncherScenario = {
  name: 'timing-steadiness',
  needs: 'launcher',
  question: 'How much do the times of a calibrated program differ from run to run, beside a busy neighbour?',
  async run(launcher, options): Promise<ScenarioResult> {
    const whyNot = whyNotHere(launcher);
    if (whyNot !== null) return { answer: `Left out: ${whyNot}.`, rows: [] };
    const { alone, beside } = await measure(launcher, options);
    const [ours, bare] = [variationOf(beside.sandboxed), variationOf(beside.bare)];
    const against = { against: summarise(beside.bare) };
    return {
      answer: `Beside a busy neighbour processor times differ by ${toPercent(ours)} (coefficient of variation), of the same program bare by ${toPercent(bare)}; alone by ${toPercent(variationOf(alone.sandboxed))} and ${toPercent(variationOf(alone.bare))}.`,
      rows: [
        { label: 'bare, beside a busy neighbour', summary: summarise(beside.bare) },
        { label: 'envicutor, beside a busy neighbour', summary: summarise(beside.sandboxed), ...against },
        { label: 'bare, alone', summary: summarise(alone.bare) },
        { label: 'envicutor, alone', summary: summarise(alone.sandboxed) },
      ],
      goals: [
        {
          promise: 'Beside a busy neighbour no less steady than bare',
          seen: `${toPercent(ours)} and ${toPercent(bare)}`,
          isReached: ours <= bare,
        },
        {
          promise: `a coefficient of variation of at most ${toPercent(VARIATION_MAX)}`,
          seen: toPercent(ours),
          isReached: ours <= VARIATION_MAX,
        },
      ],
      notes: [
        '× is the p50 as a multiple of that of the bare program beside the same neighbour.',
        `Of ${beside.bare.length} samples each, coefficients of variation that differ by less than ${toPercent(knownWithin(beside.bare.length))} of themselves differ by chance.`,
      ],
    };
  },
};
