/**
 * Owns what a run of the suite leaves behind: one JSON file with the machine, the command, and every scenario's samples, so that reports are drawn
 * and runs compared without measuring again.
 * Never judges a figure. Invariant: a recording says whether it is whole, whether it was quick, and on which commit it was taken; a file of another form
 * is refused with a sentence.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Static, type TSchema, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';

/** Changes when a recording's form does. */
const RECORDING_FORM = 1;
/** Digits that are kept of a sample: more than any clock here is good for. */
const SAMPLE_DIGITS = 5;

const closed = <T extends Record<string, TSchema>>(members: T) => Type.Object(members, { additionalProperties: false });

const machine = closed({
  processor: Type.String(),
  cores: Type.Integer(),
  memoryGiB: Type.Number(),
  kernel: Type.String(),
  node: Type.String(),
  governor: Type.String(),
  cgroups: Type.String(),
  isVirtual: Type.Boolean(),
});

const labels = Type.Array(Type.String());
/** Medians beside each other, or how samples are spread: the labels of the rows. */
const ofRows = <Kind extends string>(kind: Kind) =>
  closed({ kind: Type.Literal(kind), title: Type.String(), rows: labels });
/** What a time is made of, parts stacked upon each other: what a part is called there, and the row that has its samples. */
const split = closed({
  kind: Type.Literal('split'),
  title: Type.String(),
  bars: Type.Array(
    closed({ label: Type.String(), parts: Type.Array(closed({ label: Type.String(), row: Type.String() })) }),
  ),
});
/** How a figure changes with another one, such as runs per second with clients. */
const curve = closed({
  kind: Type.Literal('curve'),
  title: Type.String(),
  /** What is along the axis. */
  x: Type.String(),
  lines: Type.Array(
    closed({ label: Type.String(), points: Type.Array(closed({ x: Type.Number(), row: Type.String() })) }),
  ),
});
const plot = Type.Union([ofRows('distribution'), ofRows('bars'), split, curve]);
const goal = closed({ promise: Type.String(), seen: Type.String(), isReached: Type.Boolean() });
const absentRival = closed({ name: Type.String(), why: Type.String() });
const presentRival = closed({
  name: Type.String(),
  version: Type.String(),
  source: Type.String(),
  /** How it was asked: command lines and sentences. */
  settings: Type.Array(Type.String()),
});

const row = closed({
  label: Type.String(),
  unit: Type.String(),
  /** In the order in which they were taken. */
  samples: Type.Array(Type.Number()),
  /** The label of the row that it is set against. */
  against: Type.Union([Type.String(), Type.Null()]),
});

const answered = closed({
  name: Type.String(),
  question: Type.String(),
  /** Null when the scenario did not come to one. */
  answer: Type.Union([Type.String(), Type.Null()]),
  /** Why it did not finish; null when it did. */
  problem: Type.Union([Type.String(), Type.Null()]),
  better: Type.Union([Type.Literal('lower'), Type.Literal('higher')]),
  rows: Type.Array(row),
  plots: Type.Array(plot),
  goals: Type.Array(goal),
  notes: Type.Array(Type.String()),
  rivals: Type.Array(presentRival),
  absent: Type.Array(absentRival),
  tookMs: Type.Number(),
  /** Share of the machine's processor time that its hypervisor took meanwhile, 0 to 1. */
  stealShare: Type.Number(),
  /** Programs that could run, in the minute before the run began. */
  loadBefore: Type.Number(),
  /** Why the figures should not be trusted; empty when nothing was seen. */
  noise: Type.Array(Type.String()),
});

const recording = closed({
  form: Type.Literal(RECORDING_FORM),
  command: Type.String(),
  /** Of the checkout that was measured, with `+` behind it when there were changes. */
  commit: Type.String(),
  startedAt: Type.String(),
  isComplete: Type.Boolean(),
  isQuick: Type.Boolean(),
  machine,
  scenarios: Type.Array(answered),
});

/** One run of the suite. */
export type Recording = Static<typeof recording>;
/** What one scenario said in it. */
export type RecordedAnswer = Static<typeof answered>;
/** One series of it. */
export type RecordedRow = Static<typeof row>;
/** A drawing of an answer's rows, which it names by their labels. */
export type Plot = Static<typeof plot>;
/** A figure that was promised, and what was seen. */
export type Goal = Static<typeof goal>;
/** A rival that is, and how it was asked. */
export type PresentRival = Static<typeof presentRival>;
/** A rival that is not in the figures. */
export type AbsentRival = Static<typeof absentRival>;
/** What the figures were taken on. */
export type RecordedMachine = Static<typeof machine>;

/** The members that every new recording has. */
export const recordingForm = { form: RECORDING_FORM } as const;

/** A file that can't be read as a recording; its message is the sentence to show. */
export class RecordingError extends Error {}

/** Reads one; throws a RecordingError with a sentence when it is no recording of this form. */
export function readRecording(path: string): Recording {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new RecordingError(`can't read a recording from '${path}': ${String(error)}; 'bench run' writes them`);
  }
  if (Value.Check(recording, content)) return content;
  const { path: where = '', message = '' } = Value.Errors(recording, content).First() ?? {};
  throw new RecordingError(
    `'${path}' is no recording of form ${RECORDING_FORM} (${where || 'as a whole'}: ${message}); record it again by 'bench run'`,
  );
}

/** Writes it whole or not at all. */
export function writeRecording(path: string, content: Recording): void {
  mkdirSync(dirname(path), { recursive: true });
  const short = (_key: string, value: unknown) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(SAMPLE_DIGITS)) : value;
  writeFileSync(`${path}.new`, `${JSON.stringify(content, short)}\n`);
  renameSync(`${path}.new`, path);
}
