/**
 * Owns where the time of one execution went, as its client has it: the parts that its answer tells, and the rest by subtraction.
 * Never compares two processes' clocks: what lies between two processes is one part, both ways together.
 * Invariant: the parts add up to the client's time, none is negative, and an answer that does not allow that is an error.
 */
import type { Execution } from '../../shared/model/execution.ts';

/** In the order in which they begin. */
export const splitParts = [
  'HTTP',
  'queue',
  'WebSocket',
  'agent',
  'take',
  'mount',
  'exec',
  'run',
  'collect',
  'fetch and build',
] as const;
export type SplitPart = (typeof splitParts)[number];

/** What a reader of a split must know. */
export const splitNotes: readonly string[] = [
  "HTTP (client to coordinator and back) is the client's time minus the coordinator's; WebSocket (coordinator to agent and back) is what the coordinator waited minus what the agent needed; both have the reading and writing of messages in them.",
  'agent is what the agent adds itself, its conversation with the launcher with it; queue, take, mount, exec, run and collect are told by the answer. The parts of a round add up to its time; medians need not. What the next one does before a sender has looked at its clock (a busy machine) is taken off queue, take and exec, so that nothing counts twice.',
];

const bySubtraction = ['HTTP', 'WebSocket'] as const;
/** Whoever sends something on may lose its processor before it has looked at its clock, while the next one works already. */
const senders = ['queue', 'take', 'exec'] as const;

/** More than clocks and rounding differ by. */
const ROUNDING_MS = 0.01;

/** The parts of `ms`, the client's time from its request to the whole answer; milliseconds. */
export function splitOf(ms: number, { timing }: Pick<Execution, 'timing'>): Readonly<Record<SplitPart, number>> {
  const { takeMs, mountMs, execMs, agentMs, ...told } = timing;
  if (takeMs === undefined || mountMs === undefined || execMs === undefined || agentMs === undefined)
    throw new Error('the agent of this instance does not tell take, mount and exec apart: it is older than this suite');
  const { queuedMs, buildMs, fetchMs, prepareMs, executeMs, collectMs, overheadMs } = told;
  const coordinatorMs = queuedMs + buildMs + fetchMs + prepareMs + executeMs + collectMs + overheadMs;
  const parts = {
    HTTP: ms - coordinatorMs,
    queue: queuedMs,
    WebSocket: overheadMs - agentMs,
    agent: agentMs,
    take: takeMs,
    mount: mountMs,
    exec: execMs,
    run: executeMs,
    collect: collectMs,
    'fetch and build': fetchMs + buildMs,
  };
  const owed = withoutOverlap(parts);
  const sum = Object.values(parts).reduce((whole, part) => whole + part, 0);
  if (owed > ROUNDING_MS || Math.abs(sum - ms) > ROUNDING_MS)
    throw new Error(`the parts of an execution are not its whole of ${ms} ms: ${JSON.stringify(parts)}`);
  return parts;
}

/** Takes what went on at the same time off those that had sent already; gives back what nobody had. */
function withoutOverlap(parts: Record<SplitPart, number>): number {
  let owed = 0;
  for (const part of bySubtraction) {
    owed -= Math.min(0, parts[part]);
    parts[part] = Math.max(0, parts[part]);
  }
  for (const part of senders) {
    const taken = Math.min(owed, parts[part]);
    parts[part] -= taken;
    owed -= taken;
  }
  return owed;
}
