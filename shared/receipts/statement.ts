/**
 * Owns what may be wrong with a receipt, by name, and the comparison of what it states with what a result or an answer tells. Pure, and imports
 * no package and nothing of Node: coordinator and client library compare alike.
 * Never looks at a signature. Invariant: everything that a result tells is compared with something; the first difference is named.
 */
import type { Limits } from '../model/limits.ts';
import type { ReceiptStatement, ScriptStatement } from '../model/receipt.ts';
import type { Report } from '../model/verdict.ts';

/** DSSE payload type of a receipt: what is signed as this can't pass for anything else, nor anything else for it. */
export const RECEIPT_PAYLOAD_TYPE = 'application/vnd.envicutor.receipt+json';
/** DSSE payload type of the list of agents' keys. */
export const AGENT_KEYS_PAYLOAD_TYPE = 'application/vnd.envicutor.agent-keys+json';

// biome-ignore format: a catalog is read by column
const flaws = {
  'receipt-missing':    'there is no receipt',
  'receipt-malformed':  'what is there is no receipt of a version that is known here',
  'receipt-not-signed': "the agent's key did not sign this",
  'agent-differs':      'it is for another agent',
  'execution-differs':  'it is for another execution',
  'tenant-differs':     'it is for another tenant',
  'lease-differs':      'it is for another lease',
  'fence-differs':      'it is for another fence',
  'request-differs':    'something else was asked for',
  'layers-differ':      'other layers were used',
  'limits-differ':      'other limits were in force',
  'verdict-differs':    'it states another verdict',
  'ending-differs':     'it states another end of a script',
  'tests-differ':       'it states other results of tests',
  'output-differs':     'it states other output',
  'usage-differs':      'it states other usage',
  'times-differ':       'it states other times',
} as const;

/** Why a receipt does not fit, or can't be believed. */
export type ReceiptFlaw = keyof typeof flaws;

/** Every flaw with its sentence. */
export const receiptFlaws: Readonly<Record<ReceiptFlaw, string>> = flaws;

/** What is told of one script beside its limits. */
export type ToldScript = Omit<ScriptStatement, 'limits'>;

/** What is known from elsewhere and must be stated, too; what is absent is not known. */
export interface Told {
  readonly agent: string;
  readonly execution: string;
  readonly tenant?: string;
  readonly lease?: string;
  readonly fence?: number;
  readonly request?: string;
  readonly layers: readonly string[];
  readonly verdict: string | null;
  readonly endedIn: string | null;
  readonly failure: string | null;
  readonly compile: ToldScript | null;
  readonly run: ToldScript | null;
  /** Digest of what is told of tests; null: there are none. */
  readonly tests: string | null;
  /** Layers of the check program; absent: not known. */
  readonly checkLayers?: readonly string[];
  /** Those that were asked for, or all that are in force. */
  readonly limits?: {
    readonly compile: Limits | null;
    readonly run: Limits;
    readonly check?: { readonly compile: Limits | null; readonly run: Limits } | null;
  };
}

/** What a Report tells, with digests of its output. */
export function toToldScript(report: Report, output: { readonly stdout: string; readonly stderr: string }): ToldScript {
  const { verdict, exitCode, signal, exceeded, start, usage } = report;
  const { stdoutTruncated, stderrTruncated, startedAt, endedAt, slot } = report;
  const { stdout, stderr } = output;
  return {
    ...{ verdict, exitCode, signal, exceeded, start, usage },
    ...{ stdout, stdoutTruncated, stderr, stderrTruncated, startedAt, endedAt, slot },
  };
}

/** How a statement differs from what is told, or null. */
export function findDifference(statement: ReceiptStatement, told: Told): ReceiptFlaw | null {
  const { agent, execution, tenant, lease, fence, request } = statement;
  if (agent !== told.agent) return 'agent-differs';
  if (execution !== told.execution) return 'execution-differs';
  if (isOther(tenant, told.tenant)) return 'tenant-differs';
  if (isOther(lease, told.lease)) return 'lease-differs';
  if (isOther(fence, told.fence)) return 'fence-differs';
  if (isOther(request, told.request)) return 'request-differs';
  if (!isSame(statement.layers, told.layers)) return 'layers-differ';
  if (statement.verdict !== told.verdict) return 'verdict-differs';
  if (statement.endedIn !== told.endedIn || statement.failure !== told.failure) return 'ending-differs';
  // Not "earlier than": of the 32nd of a month nothing is true, and no retirement would be before it.
  if (!(Date.parse(statement.completedAt) >= Date.parse(statement.acceptedAt))) return 'times-differ';
  return (
    findScriptDifference('compile', statement, told) ??
    findScriptDifference('run', statement, told) ??
    findTestsDifference(statement, told)
  );
}

function findTestsDifference(
  { tests }: ReceiptStatement,
  { tests: told, checkLayers, limits }: Told,
): ReceiptFlaw | null {
  if (tests === undefined || told === null) return (tests === undefined) === (told === null) ? null : 'tests-differ';
  if (tests.results !== told) return 'tests-differ';
  if (checkLayers !== undefined && !isSame(tests.check?.layers ?? [], checkLayers)) return 'layers-differ';
  if (limits === undefined) return null;
  const { check } = tests;
  const pairs = [
    [limits.run, tests.limits],
    [limits.check?.compile, check?.compile],
    [limits.check?.run, check?.run],
  ] as const;
  return pairs.every(([asked, inForce]) => isWithin(asked ?? {}, inForce ?? {})) ? null : 'limits-differ';
}

/** Is everything that was asked for in force? */
function isWithin(asked: Limits, inForce: Limits): boolean {
  return Object.entries(asked).every(([name, value]) => inForce[name as keyof Limits] === value);
}

function isOther<Value>(stated: Value, told: Value | undefined): boolean {
  return told !== undefined && stated !== told;
}

function findScriptDifference(
  script: 'compile' | 'run',
  { [script]: stated }: ReceiptStatement,
  { [script]: told, limits }: Told,
): ReceiptFlaw | null {
  if (stated === null || told === null) return stated === told ? null : 'ending-differs';
  const { limits: inForce, verdict, usage, ...rest } = stated;
  const { stdout, stderr, stdoutTruncated, stderrTruncated, startedAt, endedAt, ...ending } = rest;
  if (verdict !== told.verdict) return 'verdict-differs';
  if (!isSame(usage, told.usage)) return 'usage-differs';
  const isOutputSame = stdout === told.stdout && stderr === told.stderr;
  if (!isOutputSame || stdoutTruncated !== told.stdoutTruncated || stderrTruncated !== told.stderrTruncated) {
    return 'output-differs';
  }
  if (startedAt !== told.startedAt || endedAt !== told.endedAt) return 'times-differ';
  const { exitCode, signal, exceeded, start, slot } = told;
  if (!isSame(ending, { exitCode, signal, exceeded, start, slot })) return 'ending-differs';
  return isWithin(limits?.[script] ?? {}, inForce) ? null : 'limits-differ';
}

/** Are two JSON values the same, whatever the order of members? */
function isSame(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const names = Object.keys(one);
  if (names.length !== Object.keys(other).length) return false;
  return names.every(
    (name) =>
      Object.hasOwn(other, name) &&
      isSame((one as Record<string, unknown>)[name], (other as Record<string, unknown>)[name]),
  );
}
