/**
 * Owns a receipt's way from a result into its signed text and back: for agents, who sign it, and coordinators, who know what it must state.
 * Never decides what becomes of a receipt that does not fit. The client library does the same by itself, without Node (client/typescript).
 * Invariants: a statement from here was signed by the key that was named; its bytes are the one JSON text of it, so that no two parsers
 * can read it differently.
 */
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { toTimestamp } from '../clock.ts';
import { type Digest, digestOf } from '../digest.ts';
import { openEnvelope, type SigningKey, signEnvelope } from '../layers/envelope.ts';
import type { File } from '../model/environment.ts';
import type { AllLimits } from '../model/limits.ts';
import type { TrustedKey } from '../model/manifest.ts';
import { RECEIPT_CHARACTERS_MAX, ReceiptStatement, type ScriptStatement } from '../model/receipt.ts';
import { decodeInput, type Encoding, type Report } from '../model/verdict.ts';
import type { LeaseResultMessage } from '../protocol/agent-messages.ts';
import type { LeaseOrderMessage, TestsOrder } from '../protocol/coordinator-messages.ts';
import { toAskedText } from './asked.ts';
import { type AskedFile, type AskedTests, toJudgedText } from './judged.ts';
import {
  findDifference,
  RECEIPT_PAYLOAD_TYPE,
  type ReceiptFlaw,
  type Told,
  type ToldScript,
  toToldScript,
} from './statement.ts';

const statementCheck = TypeCompiler.Compile(ReceiptStatement);
const receiptForm = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{86})$/;

type Order = Pick<LeaseOrderMessage, 'executionId' | 'tenantId' | 'files' | 'compile' | 'run' | 'tests'>;

/** Digest of what an order asks for. */
export function digestOfAsked({ files, compile, run, tests }: Omit<Order, 'executionId' | 'tenantId'>): Digest {
  const asked = toAskedText({
    files: files.map(toAskedFile),
    compile,
    run: { ...run, stdin: digestOfText(run.stdin, run.stdinEncoding) },
    tests: tests === undefined ? undefined : toAskedTests(tests),
  });
  return digestOf(asked);
}

function toAskedFile({ path, content, encoding = 'utf8', executable = false }: File): AskedFile {
  return { path, executable, content: digestOfText(content, encoding) };
}

function toAskedTests({ cases, requires, stopAfterFailures, check }: TestsOrder): AskedTests {
  return {
    cases: cases.map((one) => ({
      ...one,
      stdin: digestOfText(one.stdin, one.stdinEncoding),
      expected: one.expected === null ? null : digestOfText(one.expected, one.expectedEncoding),
    })),
    requires,
    stopAfterFailures,
    check: 'layers' in check ? { ...check, files: check.files.map(toAskedFile) } : check,
  };
}

function digestOfText(text: string, encoding: Encoding): Digest {
  return digestOf(encoding === 'utf8' ? text : decodeInput(text, encoding));
}

/** Who ran an order, under which lease, and when by its own clock. */
export interface Lessee {
  readonly agent: string;
  readonly lease: string;
  readonly fence: number;
  readonly acceptedAtMs: number;
  readonly completedAtMs: number;
}

/** What an agent states about its result; `request` is digestOfAsked of the order. */
export function toStatement(
  order: Order,
  lessee: Lessee,
  result: LeaseResultMessage,
  request: Digest,
): ReceiptStatement {
  const { agent, lease, fence, acceptedAtMs, completedAtMs } = lessee;
  const { verdict, endedIn, failure } = result;
  return {
    version: 1,
    ...{ execution: order.executionId, tenant: order.tenantId, lease, fence, agent },
    acceptedAt: toTimestamp(acceptedAtMs),
    // A wall clock may go back.
    completedAt: toTimestamp(Math.max(acceptedAtMs, completedAtMs)),
    request,
    layers: result.layers.map(({ digest }) => digest),
    verdict,
    endedIn: endedIn as ReceiptStatement['endedIn'],
    compile: toScriptStatement(result.compile, order.compile?.limits),
    run: toScriptStatement(result.run, order.run.limits),
    ...toTestsStatement(order, result),
    failure: failure?.code ?? null,
  };
}

function toTestsStatement({ run, tests }: Order, result: LeaseResultMessage): Pick<ReceiptStatement, 'tests'> {
  const results = digestOfJudged(result);
  if (results === null || tests === undefined) return {};
  const { check } = tests;
  const layers = result.check?.layers.map(({ digest }) => digest) ?? [];
  const ofCheck = 'layers' in check ? { layers, compile: check.compile?.limits ?? null, run: check.run.limits } : null;
  return { tests: { results, limits: run.limits, check: ofCheck } };
}

/** Digest of what is told of tests, or null when nothing is. */
function digestOfJudged({ tests, check }: Pick<LeaseResultMessage, 'tests' | 'check'>): Digest | null {
  if (tests === undefined) return null;
  const tell = (report: Report | null | undefined) =>
    report === null || report === undefined ? null : tellScript(report);
  const told = tests.map(({ name, outcome, report, check: checked }) => ({
    ...{ name, outcome, script: tell(report) },
    check: checked === null ? null : { message: checked.message, score: checked.score, script: tell(checked.report) },
  }));
  return digestOf(toJudgedText({ tests: told, compile: tell(check?.compile) }));
}

function toScriptStatement(report: Report | null, limits: AllLimits | undefined): ScriptStatement | null {
  return report === null || limits === undefined ? null : { ...tellScript(report), limits };
}

function tellScript(report: Report): ToldScript {
  const stdout = digestOfText(report.stdout, report.stdoutEncoding);
  return toToldScript(report, { stdout, stderr: digestOfText(report.stderr, report.stderrEncoding) });
}

/** The statement as a text that this key signed. */
export function signReceipt(statement: ReceiptStatement, key: SigningKey): string {
  const payload = Buffer.from(JSON.stringify(statement));
  const [signature] = signEnvelope(RECEIPT_PAYLOAD_TYPE, payload, key).signatures;
  return `${payload.toString('base64url')}.${Buffer.from(signature?.sig ?? '', 'base64').toString('base64url')}`;
}

/** The statement that this key signed, or what is wrong. */
export function openReceipt(receipt: string, key: TrustedKey): ReceiptStatement | ReceiptFlaw {
  const [, encoded = '', signature = ''] =
    receipt.length > RECEIPT_CHARACTERS_MAX ? [] : (receiptForm.exec(receipt) ?? []);
  const payload = Buffer.from(encoded, 'base64url');
  const sig = Buffer.from(signature, 'base64url');
  const isCanonical = payload.toString('base64url') === encoded && sig.toString('base64url') === signature;
  if (encoded === '' || !isCanonical) return 'receipt-malformed';
  try {
    const signatures = [{ keyid: key.keyid, sig: sig.toString('base64') }];
    openEnvelope(
      { payloadType: RECEIPT_PAYLOAD_TYPE, payload: payload.toString('base64'), signatures },
      [key],
      RECEIPT_PAYLOAD_TYPE,
    );
  } catch {
    return 'receipt-not-signed';
  }
  return decode(payload) ?? 'receipt-malformed';
}

function decode(payload: Buffer): ReceiptStatement | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload);
    const statement: unknown = JSON.parse(text);
    return statementCheck.Check(statement) && JSON.stringify(statement) === text ? statement : null;
  } catch {
    return null;
  }
}

/** What is known where a lease was given out. */
export interface LeaseFacts extends Pick<Lessee, 'agent' | 'lease' | 'fence'> {
  readonly order: Order;
  /** Tar digests of the layers that it was to run on, lowest first; then those that only its check program has. */
  readonly layers: readonly string[];
  readonly key: TrustedKey;
}

/** What is wrong with the receipt that came with a result, or null. */
export function findFlaw(receipt: string, facts: LeaseFacts, result: LeaseResultMessage): ReceiptFlaw | null {
  const statement = openReceipt(receipt, facts.key);
  if (typeof statement === 'string') return statement;
  const { agent, lease, fence, order } = facts;
  const { verdict, endedIn, failure } = result;
  const told: Told = {
    ...{ agent, lease, fence, execution: order.executionId, tenant: order.tenantId, request: digestOfAsked(order) },
    layers: result.layers.map(({ digest }) => digest),
    ...{ verdict, endedIn, failure: failure?.code ?? null },
    compile: result.compile === null ? null : tellScript(result.compile),
    run: result.run === null ? null : tellScript(result.run),
    tests: digestOfJudged(result),
    checkLayers: result.check?.layers.map(({ digest }) => digest) ?? [],
    limits: { compile: order.compile?.limits ?? null, run: order.run.limits, check: checkLimitsOf(order) },
  };
  const difference = findDifference(statement, told);
  if (difference !== null || failure !== null) return difference;
  // Whoever gives a verdict has had all of its layers; a check program is not needed for what did not compile.
  const { layers } = facts;
  const own = statement.layers;
  const used = new Set([...own, ...(statement.tests?.check?.layers ?? [])]);
  if (statement.tests?.check !== null && statement.tests !== undefined) {
    return [...used].join() === layers.join() ? null : 'layers-differ';
  }
  const isAll = order.tests === undefined || !('layers' in order.tests.check);
  return own.join() === (isAll ? layers : layers.slice(0, own.length)).join() ? null : 'layers-differ';
}

function checkLimitsOf({ tests }: Order): { compile: AllLimits | null; run: AllLimits } | null {
  if (tests === undefined || !('layers' in tests.check)) return null;
  return { compile: tests.check.compile?.limits ?? null, run: tests.check.run.limits };
}
