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
import type { AllLimits } from '../model/limits.ts';
import type { TrustedKey } from '../model/manifest.ts';
import { RECEIPT_CHARACTERS_MAX, ReceiptStatement, type ScriptStatement } from '../model/receipt.ts';
import { decodeInput, type Encoding, type Report } from '../model/verdict.ts';
import type { LeaseResultMessage } from '../protocol/agent-messages.ts';
import type { LeaseOrderMessage, OrderInput } from '../protocol/coordinator-messages.ts';
import { toAskedText } from './asked.ts';
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

type Order = Pick<LeaseOrderMessage, 'executionId' | 'tenantId' | 'files' | 'compile' | 'run' | 'inputs'>;

/** Digest of what an order asks for. */
export function digestOfAsked({ files, compile, run, inputs = [] }: Omit<Order, 'executionId' | 'tenantId'>): Digest {
  const asked = toAskedText({
    files: files.map((file) => ({
      ...{ path: file.path, executable: file.executable ?? false },
      content: 'file' in file ? digestOfInput(file.file, inputs) : digestOfText(file.content, file.encoding ?? 'utf8'),
    })),
    compile,
    run: { ...run, stdin: digestOfStdin(run, inputs) },
  });
  return digestOf(asked);
}

/** Of an input that an order carries, or names. */
function digestOfStdin({ stdin, stdinEncoding }: Order['run'], inputs: readonly OrderInput[]): Digest {
  return stdinEncoding === 'file' ? digestOfInput(stdin, inputs) : digestOfText(stdin, stdinEncoding);
}

/** Known already: whoever runs the order has checked that the bytes have it. One that the order does not tell of has none that fits. */
function digestOfInput(id: string, inputs: readonly OrderInput[]): Digest {
  return (inputs.find(({ file }) => file === id)?.sha256 ?? digestOf(id)) as Digest;
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
    failure: failure?.code ?? null,
  };
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
  /** Tar digests of the layers that it was to run on, lowest first. */
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
    limits: { compile: order.compile?.limits ?? null, run: order.run.limits },
  };
  const difference = findDifference(statement, told);
  if (difference !== null || failure !== null) return difference;
  // Whoever gives a verdict has had all of its layers.
  return statement.layers.join() === facts.layers.join() ? null : 'layers-differ';
}
