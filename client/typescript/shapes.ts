/**
 * Owns the shapes of what is signed, checked without any package: the statement of a receipt, the list of agents' keys, their envelopes.
 * The declarations are those of shared/model; a test holds both against each other, member by member.
 * Never looks at a value beyond its shape. Invariant: a closed shape accepts no member more and none less.
 */
import type { AgentKeyList } from '../../shared/model/agent-keys.ts';
import type { Envelope } from '../../shared/model/manifest.ts';
import type { ReceiptStatement } from '../../shared/model/receipt.ts';

type Shape = (value: unknown) => boolean;

const text: Shape = (value) => typeof value === 'string';
const flag: Shape = (value) => typeof value === 'boolean';
const integer: Shape = (value) => Number.isSafeInteger(value);
const count: Shape = (value) => Number.isInteger(value) && (value as number) >= 0;
const amount: Shape = (value) => typeof value === 'number' && Number.isFinite(value) && value >= 0;
const matching =
  (pattern: RegExp): Shape =>
  (value) =>
    typeof value === 'string' && pattern.test(value);
const shortText =
  (charactersMax: number): Shape =>
  (value) =>
    typeof value === 'string' && value.length <= charactersMax;
const nullable =
  (shape: Shape): Shape =>
  (value) =>
    value === null || shape(value);
const oneOf =
  (...values: readonly unknown[]): Shape =>
  (value) =>
    values.includes(value);
const list =
  (shape: Shape, itemsMin: number, itemsMax: number): Shape =>
  (value) =>
    Array.isArray(value) && value.length >= itemsMin && value.length <= itemsMax && value.every(shape);
const closed = (members: Readonly<Record<string, Shape>>, optional: Readonly<Record<string, Shape>> = {}): Shape => {
  // A map, since every object has members that nobody gave it.
  const shapes = new Map(Object.entries({ ...members, ...optional }));
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    const all = value as Readonly<Record<string, unknown>>;
    if (!Object.keys(members).every((name) => Object.hasOwn(all, name))) return false;
    return Object.keys(all).every((name) => shapes.get(name)?.(all[name]) === true);
  };
};
const each = (shape: Shape, ...names: readonly string[]): Record<string, Shape> =>
  Object.fromEntries(names.map((name) => [name, shape]));

const digest = matching(/^sha256:[0-9a-f]{64}$/);
const timestamp = matching(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$/);
/** A moment that there is: what is compared with another must not be no number. */
const moment: Shape = (value) => timestamp(value) && !Number.isNaN(Date.parse(value as string));
const verdict = oneOf(
  ...['ok', 'nonzero-exit', 'signaled', 'cpu-time-exceeded', 'wall-time-exceeded', 'idle-time-exceeded'],
  ...['memory-exceeded', 'output-exceeded', 'file-size-exceeded', 'disk-exceeded', 'start-failed'],
);
const judgement = oneOf('accepted', 'wrong-answer', 'checker-failed');
const executionVerdict: Shape = (value) => verdict(value) || judgement(value);
const limitNames = [
  ...['cpuTimeMs', 'wallTimeMs', 'idleTimeMs', 'memoryBytes', 'processes', 'outputBytes', 'fileSizeBytes'],
  ...['openFiles', 'stackBytes', 'diskBytes', 'diskInodes'],
];
const limit: Shape = (value) => Number.isSafeInteger(value) && (value as number) >= 1;

const usage = closed({
  ...each(amount, 'cpuTimeMs', 'cpuUserMs', 'cpuSystemMs', 'wallTimeMs', 'throttledMs'),
  ...each(count, 'memoryPeakBytes', 'processesPeak', 'outputBytes', 'diskBytes', 'voluntarySwitches'),
  ...each(count, 'involuntarySwitches', 'oomKills'),
});

const limits = closed(each(limit, ...limitNames));

const script = closed({
  verdict,
  exitCode: nullable((value) => Number.isInteger(value)),
  signal: nullable(text),
  exceeded: nullable(closed({ limit: oneOf(...limitNames), allowed: count, observed: count })),
  start: nullable(closed(each(text, 'step', 'errno', 'detail'))),
  limits,
  usage,
  ...each(digest, 'stdout', 'stderr'),
  ...each(flag, 'stdoutTruncated', 'stderrTruncated'),
  startedAt: nullable(timestamp),
  endedAt: timestamp,
  slot: nullable(count),
});

const tests = closed({
  results: digest,
  limits,
  check: nullable(closed({ layers: list(digest, 0, 64), compile: nullable(limits), run: limits })),
});

const statement = closed(
  {
    version: oneOf(1),
    ...each(text, 'execution', 'tenant', 'lease', 'agent'),
    fence: (value) => integer(value) && (value as number) >= 0,
    ...each(timestamp, 'acceptedAt', 'completedAt'),
    request: digest,
    layers: list(digest, 0, 64),
    verdict: nullable(executionVerdict),
    endedIn: nullable(oneOf('compile', 'run', 'tests', 'check')),
    ...each(nullable(script), 'compile', 'run'),
    failure: nullable(shortText(100)),
  },
  { tests },
);

const namedKey = closed(each(text, 'keyid', 'publicKey'));

const agentKeyList = closed({
  version: (value) => Number.isInteger(value) && (value as number) >= 1,
  issuedAt: moment,
  keys: list(namedKey, 1, 16),
  agents: list(
    closed(
      {
        agentId: matching(/^agent_[0-9a-z]{8,64}$/),
        name: shortText(128),
        pool: text,
        publicKey: shortText(256),
        enrolledAt: moment,
      },
      { retiredAt: moment },
    ),
    0,
    100_000,
  ),
});

const envelope = closed({
  ...each(text, 'payloadType', 'payload'),
  signatures: list(closed(each(text, 'keyid', 'sig')), 1, 8),
});

/** Is this a statement of a receipt? */
export const isStatement = (value: unknown): value is ReceiptStatement => statement(value);
/** Is this a list of agents' keys? */
export const isAgentKeyList = (value: unknown): value is AgentKeyList => agentKeyList(value);
/** Is this an envelope? */
export const isEnvelope = (value: unknown): value is Envelope => envelope(value);
