/**
 * Owns the arithmetic of an execution's timeline: which part took how long, where it begins, and what it consists of. Pure.
 * Invariant: the parts follow each other without a gap, and their sum is the whole; the parts of a part never exceed it.
 */
import type { Timing } from '../../../shared/model/execution.ts';

/** A part of an execution's time; milliseconds. */
export interface TimelinePart {
  readonly name: string;
  readonly sentence: string;
  readonly ms: number;
  /** From the beginning of the execution. */
  readonly fromMs: number;
  /** Of the whole, 0 to 1. */
  readonly share: number;
  readonly parts: readonly Pick<TimelinePart, 'name' | 'sentence' | 'ms'>[];
}

/** See the head of this file. */
export interface Timeline {
  readonly totalMs: number;
  readonly parts: readonly TimelinePart[];
}

type Finer = readonly (readonly [name: string, sentence: string, ms: number | undefined])[];

/** What is known of a part's own parts, and the rest of it. */
function split(wholeMs: number, finer: Finer): TimelinePart['parts'] {
  const known = finer.flatMap(([name, sentence, ms]) => (ms === undefined ? [] : [{ name, sentence, ms }]));
  if (known.length === 0) return [];
  let leftMs = wholeMs;
  const bounded = known.map((part) => {
    const ms = Math.min(part.ms, leftMs);
    leftMs -= ms;
    return { ...part, ms };
  });
  return leftMs > 0 ? [...bounded, { name: 'rest', sentence: 'Not told apart.', ms: leftMs }] : bounded;
}

/** Where the time of an execution went, in the order in which it goes by. */
export function toTimeline(timing: Timing): Timeline {
  const { queuedMs, buildMs, fetchMs, prepareMs, executeMs, collectMs, overheadMs } = timing;
  const parts: readonly (readonly [string, string, number, TimelinePart['parts']])[] = [
    ['queue', 'Waiting for an agent.', queuedMs, []],
    ['build', 'Waiting for the environment to be built.', buildMs, []],
    ['fetch', 'Layers on their way to the agent.', fetchMs, []],
    [
      ...(['prepare', 'Sandboxes taken, layers mounted, programs started.', prepareMs] as const),
      split(prepareMs, [
        ['take', 'Until a sandbox was there.', timing.takeMs],
        ['mount', 'Layers mounted, files written.', timing.mountMs],
        ['exec', 'From there to the successful exec.', timing.execMs],
      ]),
    ],
    ['execute', 'Compile and run scripts.', executeMs, []],
    ['collect', 'Reading what they left.', collectMs, []],
    [
      ...(['overhead', 'Everything else between request and result.', overheadMs] as const),
      split(overheadMs, [['agent', 'At the agent and its launcher.', timing.agentMs]]),
    ],
  ];
  const totalMs = parts.reduce((sum, [, , ms]) => sum + ms, 0);
  let fromMs = 0;
  return {
    totalMs,
    parts: parts.map(([name, sentence, ms, finer]) => {
      const part = { name, sentence, ms, fromMs, share: totalMs === 0 ? 0 : ms / totalMs, parts: finer };
      fromMs += ms;
      return part;
    }),
  };
}
