/**
 * A recording of the suite as no machine has made it: every kind of drawing, a noisy answer, one that did not finish, text that wants to be markup.
 * Never measures: samples follow from a seed.
 */
import {
  type RecordedAnswer,
  type RecordedRow,
  type Recording,
  recordingForm,
} from '../../bench/recording/recording.ts';
import { SeededNumbers } from './seeded-numbers.ts';

/** What must never be an element of a page. */
export const hostile = `</title><script>alert("1")</script> & 'so' <img src=x onerror=alert(2)> \u202e]]>`;

/** Skewed to the right, as latencies are. */
export function skewedSamples(seed: string, count: number, median: number): number[] {
  const numbers = new SeededNumbers(seed);
  const share = () => (numbers.below(1_000_000) + 1) / 1_000_001;
  return Array.from({ length: count }, () => {
    const normal = Math.sqrt(-2 * Math.log(share())) * Math.cos(2 * Math.PI * share());
    return median * Math.exp(normal * (normal > 0 ? 0.6 : 0.2));
  });
}

/** A row; its samples follow from its label. */
export function row(label: string, median: number, more: Partial<RecordedRow> = {}): RecordedRow {
  return { label, unit: 'ms', samples: skewedSamples(label, 200, median), against: null, ...more };
}

/** An answer without drawings, rows, goals or doubts but those that are given. */
export function answered(name: string, more: Partial<RecordedAnswer>): RecordedAnswer {
  return {
    ...{ name, question: `What of ${name}?`, answer: `It is ${name}.`, problem: null, better: 'lower' },
    ...{
      rows: [],
      plots: [],
      goals: [],
      notes: [],
      rivals: [],
      absent: [],
      noise: [],
      tookMs: 1500,
      stealShare: 0.01,
      loadBefore: 0.5,
    },
    ...more,
  };
}

const atOnce = [1, 2, 4, 8];
/** Gives no more from 4 on. */
const curveRows = [
  ...atOnce.map((x) =>
    row(`envicutor, ${x} in flight`, 0, { unit: 'runs/s', samples: Array(7).fill(100 * Math.min(4, x)) }),
  ),
  ...atOnce.map((x) => row(`a rival, ${x} in flight`, 0, { unit: 'runs/s', samples: Array(7).fill(90 * x) })),
];

const latency = answered('latency', {
  ...{ question: 'What does a sandbox add to a `true`?', answer: 'It adds 1.41 ms to a `true` (p50).' },
  rows: [
    row('bare spawn (C), back to back', 1.1),
    row('envicutor, back to back', 2.5, { against: 'bare spawn (C), back to back' }),
    row('few of envicutor, back to back', 3, { samples: [2, 3, 4] }),
  ],
  plots: [
    {
      kind: 'distribution',
      title: 'One `true`, back to back',
      rows: ['bare spawn (C), back to back', 'envicutor, back to back', 'few of envicutor, back to back'],
    },
  ],
  goals: [
    { promise: 'at most 0.5 ms more', seen: '1.41 ms', isReached: false },
    { promise: 'at most 4 ms more at p99', seen: '3.86 ms', isReached: true },
  ],
  notes: ['Blocks of 25, in turn.'],
  rivals: [
    { name: 'bubblewrap', version: '0.8.0', source: 'debian package', settings: ['bwrap --unshare-all PROGRAM'] },
  ],
  absent: [{ name: 'nsjail', why: 'there is no package of it' }],
});

const parts = answered('parts', {
  rows: ['fetch', 'prepare', 'run', 'never'].map((part, at) =>
    row(`of which ${part}`, 4 ** at, part === 'never' ? { samples: [] } : {}),
  ),
  plots: [
    {
      kind: 'split',
      title: 'Where it goes',
      bars: [
        {
          label: 'one start',
          parts: ['fetch', 'prepare', 'run', 'never'].map((part) => ({ label: part, row: `of which ${part}` })),
        },
      ],
    },
  ],
});

const throughput = answered('throughput', {
  better: 'higher',
  rows: curveRows,
  plots: [
    {
      kind: 'curve',
      title: 'Programs a second',
      x: 'in flight',
      lines: ['envicutor', 'a rival'].map((label) => ({
        label,
        points: atOnce.map((x) => ({ x, row: `${label}, ${x} in flight` })),
      })),
    },
  ],
});

const noisy = answered('noisy', {
  rows: [row('envicutor: error', -0.5, { samples: [-0.9, -0.7, -0.5, 0, 60, 90] }), row('go-judge: error', 40)],
  plots: [
    { kind: 'bars', title: 'Side by side', rows: ['envicutor: error', 'go-judge: error'] },
    { kind: 'distribution', title: 'Around zero', rows: ['envicutor: error', 'go-judge: error'] },
  ],
  goals: [{ promise: 'at most 1 ms', seen: 'about 0.5 ms', isReached: true }],
  noise: ['the hypervisor took 9 % of the time'],
});

const failed = answered('failed', {
  ...{ answer: null, problem: 'the launcher ended early', rows: [row('what was taken by then', 5)] },
  plots: [{ kind: 'bars', title: 'What is not there', rows: ['no such row'] }],
});

const odd = answered(hostile, {
  ...{ question: hostile, answer: hostile, noise: [hostile], notes: [hostile], problem: hostile },
  rows: [row(hostile, 3, { unit: hostile }), row(`${hostile}, again`, 4, { against: hostile })],
  plots: [
    ...(['distribution', 'bars'] as const).map((kind) => ({
      kind,
      title: hostile,
      rows: [hostile, `${hostile}, again`],
    })),
    { kind: 'split', title: hostile, bars: [{ label: hostile, parts: [{ label: hostile, row: hostile }] }] },
    { kind: 'curve', title: hostile, x: hostile, lines: [{ label: hostile, points: [{ x: 1, row: hostile }] }] },
  ],
  goals: [{ promise: hostile, seen: hostile, isReached: false }],
  rivals: [{ name: hostile, version: hostile, source: hostile, settings: [hostile] }],
  absent: [{ name: hostile, why: hostile }],
});

/** All of that in one. */
export function recordedBench(more: Partial<Recording> = {}): Recording {
  return {
    ...recordingForm,
    ...{ command: 'bench run --output of.json', commit: 'abc1234+', startedAt: '2026-11-28T03:45:12.000Z' },
    ...{ isComplete: true, isQuick: false, scenarios: [latency, parts, throughput, noisy, failed, odd] },
    machine: {
      processor: 'A Processor',
      cores: 2,
      memoryGiB: 24,
      kernel: '6.18',
      node: 'v24',
      governor: 'none',
      cgroups: 'v2',
      isVirtual: true,
    },
    ...more,
  };
}
