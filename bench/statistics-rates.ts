/**
 * Owns how often the comparison of two runs is right: the rates that `statistics/README.md` promises, counted over simulated runs.
 * Never measures anything; the same seeds give the same table on every machine: `node bench/statistics-rates.ts`.
 */
import { type ComparisonOptions, compareSeries } from './statistics/comparison.ts';
import { type SimulatedWorld, simulatedRun, usualWorld } from './statistics/simulated-run.ts';

const PAIRS = 1000;

interface Question {
  readonly label: string;
  readonly before?: Partial<SimulatedWorld>;
  /** What differs from `before`. */
  readonly after?: Partial<SimulatedWorld>;
  readonly hasRival?: boolean;
  readonly of?: ComparisonOptions['of'];
}

const slower = (share: number): Partial<SimulatedWorld> => ({ change: Math.log(1 + share) });
const [byOne, tail] = [{ blocks: 400, roundsOfBlock: 1 }, { blocks: 80 }];

const questions: readonly Question[] = [
  { label: 'nothing changed' },
  { label: 'nothing changed, scatter 30 %', before: { scatter: 0.3 } },
  { label: 'nothing changed, blocks of 1', before: byOne },
  { label: 'nothing changed, a walk of 5 %', before: { walk: 0.05 } },
  { label: 'nothing changed but the scatter, 10 % to 40 %', before: { scatter: 0.1 }, after: { scatter: 0.4 } },
  { label: 'nothing changed, 20 rounds', before: { blocks: 20, roundsOfBlock: 1 } },
  { label: 'nothing changed, no rival, machine as before', before: { level: 0 }, hasRival: false },
  { label: 'nothing changed, no rival, machine 10 % elsewhere', hasRival: false },
  { label: '2 % slower', after: slower(0.02) },
  { label: '5 % slower', after: slower(0.05) },
  { label: '5 % faster', after: slower(1 / 1.05 - 1) },
  { label: '5 % slower, scatter 10 %', before: { scatter: 0.1 }, after: slower(0.05) },
  { label: '5 % slower, scatter 10 %, blocks of 1', before: { scatter: 0.1, ...byOne }, after: slower(0.05) },
  { label: '5 % slower, scatter 12 %', before: { scatter: 0.12 }, after: slower(0.05) },
  { label: '5 % slower, a walk of 5 %', before: { walk: 0.05 }, after: slower(0.05) },
  {
    label: '5 % slower, a walk of 5 %, blocks of 5',
    before: { walk: 0.05, blocks: 80, roundsOfBlock: 5 },
    after: slower(0.05),
  },
  { label: '10 % slower, scatter 20 %', before: { scatter: 0.2 }, after: slower(0.1) },
  { label: '15 % slower, scatter 30 %', before: { scatter: 0.3 }, after: slower(0.15) },
  { label: 'ours alone drifts to 20 % slower', after: { ramp: 0.2 } },
  { label: 'p99, nothing changed, 400 rounds', of: 'p99' },
  { label: 'p99, nothing changed, 2,000 rounds', before: tail, of: 'p99' },
  { label: 'p99, nothing changed, 2,000 rounds without spikes', before: { ...tail, spikes: 0 }, of: 'p99' },
  {
    label: 'p99, 20 % slower, 2,000 rounds without spikes',
    before: { ...tail, spikes: 0 },
    after: slower(0.2),
    of: 'p99',
  },
];

function row({ label, before = {}, after = {}, hasRival = true, of = 'p50' }: Question): string {
  const counts = { worse: 0, better: 0, noise: 0, unknown: 0 };
  for (let pair = 0; pair < PAIRS; pair++) {
    const runs = [before, { ...before, ...after }].map((each, index) => {
      const run = simulatedRun(2 * pair + index, { ...usualWorld, ...each });
      return hasRival ? run : { ours: run.ours };
    });
    counts[compareSeries(runs[0] ?? { ours: [] }, runs[1] ?? { ours: [] }, { better: 'lower', of }).judgement]++;
  }
  const shares = Object.values(counts).map((count) => `${((100 * count) / PAIRS).toFixed(1)} %`);
  return `| ${label} | ${shares.join(' | ')} |`;
}

process.stdout.write(`| ${PAIRS} pairs of runs | worse | better | noise | unknown |\n|---|---|---|---|---|\n`);
for (const question of questions) process.stdout.write(`${row(question)}\n`);
