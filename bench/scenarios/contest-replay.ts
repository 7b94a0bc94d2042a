/**
 * Question: what do contestants notice from the first minutes of a contest to the storm at its end?
 * Arrivals of a contest's shape in an open loop, five hours in minutes: calm, a rush, a long calm, a storm that grows to the end; its peak is four fifths
 * of what this machine was measured to do just before. Latency counts from the moment at which a submission was due, so that what a slow system makes
 * late is in the figures. Short programs with a compile step and tests, whose verdicts are all known beforehand.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type Arrived, arrivals, openLoop } from '../load/open-loop.ts';
import { choose, contestSubmissions, isAsKnown, type Submission } from '../load/submissions.ts';
import { type Answered, Submitter } from '../load/submitter.ts';
import { perSecond } from '../load/windows.ts';
import type { Goal, Plot } from '../recording/recording.ts';
import type { InstanceScenario, ScenarioResult, ScenarioRow } from '../scenario.ts';
import { Generator } from '../statistics/generator.ts';
import { summarise } from '../statistics/quantiles.ts';
import { toDuration, toFigure } from '../wording.ts';

const CONTEST_MINUTES = 300;
const PEAK_OF_CAPACITY = 0.8;
/** So many clients in a closed loop find out what the machine can do. */
const CLIENTS = 6;
/** Points of the curve. */
const STRETCHES = 15;

/** From a minute of the contest to another one, the rate in parts of the peak grows or falls evenly. */
const phases = [
  { name: 'calm before', from: 0, to: 8, rates: [0.04, 0.04] },
  { name: 'rush of the first minutes', from: 8, to: 40, rates: [0.6, 0.2] },
  { name: 'calm', from: 40, to: 240, rates: [0.15, 0.3] },
  { name: 'storm at the end', from: 240, to: CONTEST_MINUTES, rates: [0.4, 1] },
] as const;
type Phase = (typeof phases)[number];

function phaseAt(minute: number): Phase {
  return phases.find(({ to }) => minute < to) ?? phases[phases.length - 1] ?? phases[0];
}

/** The rate at a minute of the contest, in parts of the peak. */
function rateAt(minute: number): number {
  const { from, to, rates } = phaseAt(minute);
  return rates[0] + ((rates[1] - rates[0]) * (minute - from)) / (to - from);
}

interface Judged {
  readonly submission: Submission;
  readonly answered: Answered;
}

interface Replay {
  readonly capacity: number;
  readonly arrived: readonly Arrived<Judged>[];
  /** Executions that waited, with the milliseconds from the start at which that was looked at. */
  readonly waiting: readonly { readonly atMs: number; readonly depth: number }[];
  readonly tookMs: number;
  readonly durationMs: number;
}

async function submit(client: Submitter, submission: Submission): Promise<Judged> {
  return { submission, answered: await client.submit(submission.request) };
}

/** What the instance does in a second of this mix. */
async function capacityOf(client: Submitter, numbers: Generator, windowMs: number): Promise<number> {
  return await perSecond(CLIENTS, windowMs, () => submit(client, choose(numbers, contestSubmissions)));
}

async function replay(client: Submitter, durationMs: number, capacityMs: number): Promise<Replay> {
  const numbers = new Generator(1);
  for (const submission of contestSubmissions) await submit(client, submission);
  const capacity = await capacityOf(client, numbers, capacityMs);
  const peak = PEAK_OF_CAPACITY * capacity;
  const minuteOf = (ms: number) => (ms * CONTEST_MINUTES) / durationMs;
  const due = arrivals(numbers, durationMs, peak, (ms) => peak * rateAt(minuteOf(ms)));
  const chosen = due.map(() => choose(numbers, contestSubmissions));
  const from = performance.now();
  const waiting: { atMs: number; depth: number }[] = [];
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      const depth = await client.metric('envicutor_queue_depth');
      waiting.push({ atMs: performance.now() - from, depth });
      await pause(durationMs / 200);
    }
  })();
  const arrived = await openLoop(due, async (index) => submit(client, chosen[index] as Submission));
  const tookMs = performance.now() - from;
  isOver = true;
  await watching;
  return { capacity, arrived, waiting, tookMs, durationMs };
}

const isAnswered = ({ outcome }: Arrived<Judged>) => outcome.answered.execution !== null;
const isWrong = ({ outcome: { submission, answered } }: Arrived<Judged>) =>
  answered.execution !== null && !isAsKnown(submission, answered.execution);
const tookOf = (arrived: readonly Arrived<Judged>[]) => summarise(arrived.filter(isAnswered).map((one) => one.tookMs));

/** Of each phase: latencies, and how many waited. */
function byPhase({ arrived, waiting, durationMs }: Replay): ScenarioRow[] {
  const minuteOf = (ms: number) => (ms * CONTEST_MINUTES) / durationMs;
  const latencies = phases.map((phase) => ({
    label: `${phase.name}: due to answer`,
    summary: tookOf(arrived.filter(({ dueMs }) => phaseAt(minuteOf(dueMs)) === phase)),
  }));
  const depths = phases.map((phase) => ({
    label: `${phase.name}: waiting`,
    unit: 'executions',
    summary: summarise(
      waiting.filter(({ atMs }) => atMs < durationMs && phaseAt(minuteOf(atMs)) === phase).map(({ depth }) => depth),
    ),
  }));
  return [...latencies, ...depths].filter(({ summary }) => summary.count > 0);
}

/** Stretches of the contest, and the curve through them. */
function overTime({ arrived, durationMs }: Replay): { readonly rows: ScenarioRow[]; readonly plot: Plot } {
  const each = CONTEST_MINUTES / STRETCHES;
  const stretches = Array.from({ length: STRETCHES }, (_, index) => {
    const isIn = ({ dueMs }: Arrived<Judged>) => Math.floor((dueMs / durationMs) * STRETCHES) === index;
    return { minute: index * each, summary: tookOf(arrived.filter(isIn)) };
  }).filter(({ summary }) => summary.count > 0);
  const labelOf = (minute: number) => `minutes ${minute} to ${minute + each} of the contest`;
  return {
    rows: stretches.map(({ minute, summary }) => ({ label: labelOf(minute), summary })),
    plot: {
      ...{ kind: 'curve', title: 'From due to answer, over the contest', x: 'minute of the contest' },
      lines: [
        { label: 'latency', points: stretches.map(({ minute }) => ({ x: minute + each / 2, row: labelOf(minute) })) },
      ],
    },
  };
}

function toGoals({ arrived }: Replay): Goal[] {
  const wrong = arrived.filter(isWrong);
  const answered = arrived.filter(isAnswered).length;
  const named = [...new Set(wrong.map(({ outcome }) => outcome.submission.what))].join(', ');
  return [
    {
      promise: 'no verdict is wrong',
      seen: `${wrong.length} of ${arrived.length}${named === '' ? '' : ` (${named})`}`,
      isReached: wrong.length === 0,
    },
    {
      promise: 'everything that is handed in is judged',
      seen: `${answered} of ${arrived.length}, ${arrived.length - answered} refused`,
      isReached: answered === arrived.length,
    },
  ];
}

function toResult(seen: Replay): ScenarioResult {
  const { arrived, capacity, tookMs, durationMs } = seen;
  const phaseRows = byPhase(seen);
  const { rows, plot } = overTime(seen);
  const storm = phaseRows.find(({ label }) => label.startsWith('storm'))?.summary ?? tookOf([]);
  const calm = phaseRows.find(({ label }) => label.startsWith('calm:'))?.summary ?? tookOf([]);
  const [offered, achieved] = [
    (1000 * arrived.length) / durationMs,
    (1000 * arrived.filter(isAnswered).length) / tookMs,
  ];
  const lateness = summarise(arrived.map(({ lateMs }) => lateMs));
  const wrong = arrived.filter(isWrong).length;
  return {
    answer: `In the storm a submission is judged within ${toDuration(storm.p50)} (p50) and ${toDuration(storm.p99)} (p99), in the calm within ${toDuration(calm.p50)} and ${toDuration(calm.p99)}; ${wrong} of ${arrived.length} verdicts are wrong.`,
    rows: [
      ...phaseRows,
      ...rows,
      { label: 'offered, on average', unit: 'submissions/s', summary: summarise([offered]) },
      { label: 'achieved, to the last answer', unit: 'submissions/s', summary: summarise([achieved]) },
      { label: 'how late the load itself was', summary: lateness },
    ],
    goals: toGoals(seen),
    plots: [
      {
        kind: 'distribution',
        title: 'From due to answer, by phase',
        rows: phaseRows.map(({ label }) => label).filter((label) => label.endsWith('due to answer')),
      },
      plot,
    ],
    notes: [
      `${CONTEST_MINUTES} minutes of contest in ${durationMs / 1000} s; ${arrived.length} submissions, at most ${toFigure(PEAK_OF_CAPACITY * capacity)} a second: ${PEAK_OF_CAPACITY} of the ${toFigure(capacity)} that ${CLIENTS} clients in a closed loop had done just before.`,
      `Each has a compile step and up to four tests: ${contestSubmissions.map(({ what, weight }) => `${what} ${weight} %`).join(', ')}.`,
      'The load comes from this machine too, and takes from what is measured.',
    ],
  };
}

/** The scenario. */
export const contestReplay: InstanceScenario = {
  needs: 'instance',
  name: 'contest-replay',
  question: 'What do contestants notice from the first minutes of a contest to the storm at its end?',
  async run({ url }, { isQuick }): Promise<ScenarioResult> {
    const client = new Submitter(url);
    try {
      return toResult(isQuick ? await replay(client, 6000, 1000) : await replay(client, 240_000, 20_000));
    } finally {
      await client.close();
    }
  },
};
