/**
 * Owns the text of a result as the coordinator is told it: fitted, signed and packed by what that coordinator takes.
 * Never keeps one (outbox). Invariant: no text is larger than the protocol's largest message: a coordinator would close the connection for it, and the
 * agent would say it again on the next one.
 */
import {
  type AgentMessage,
  decodeAgentMessage,
  type LeaseResultMessage,
} from '../../shared/protocol/agent-messages.ts';
import { encodeMessage } from '../../shared/protocol/catalog.ts';
import { fitResult, packResult, unpackResult } from '../../shared/protocol/packed-outputs.ts';
import { MESSAGE_BYTES_MAX } from '../../shared/protocol/version.ts';

/** Whose a result is. */
interface Leased {
  readonly lease: string;
  readonly fence: number;
}

/** A result and its text. */
export interface ToldResult {
  readonly result: LeaseResultMessage;
  readonly text: string;
}

/** A result for a coordinator that takes the additions `understood`; `sign` puts the receipt to it. */
export function tellResult(
  leased: Leased,
  unsigned: LeaseResultMessage,
  understood: readonly string[],
  sign: (result: LeaseResultMessage) => LeaseResultMessage,
): ToldResult {
  const whole = sign(fitResult(toUnderstood(unsigned, understood), understood.includes('result.packed')));
  const text = toText(leased, whole, understood);
  if (isMessage(text)) return { result: whole, text };
  const result = sign(toTooLarge(unsigned));
  return { result, text: toText(leased, result, understood) };
}

/** A text of an earlier connection for a coordinator that may take less. */
export function retell(text: string, understood: readonly string[]): string {
  if (understood.includes('result.packed')) return text;
  const message: AgentMessage = decodeAgentMessage(text);
  if (message.type !== 'lease.completed' || message.result.packed === undefined) return text;
  const unpacked = toText(message, unpackResult(message.result), understood);
  return isMessage(unpacked) ? unpacked : toText(message, toTooLarge(message.result), understood);
}

function toText({ lease, fence }: Leased, result: LeaseResultMessage, understood: readonly string[]): string {
  const told = understood.includes('result.packed') ? packResult(result) : result;
  return encodeMessage({ type: 'lease.completed', lease, fence, result: told });
}

/** Without what the coordinator would refuse. */
function toUnderstood(
  { certificate, ...result }: LeaseResultMessage,
  understood: readonly string[],
): LeaseResultMessage {
  const isTold = certificate !== undefined && understood.includes('result.certificate');
  return isTold ? { ...result, certificate } : result;
}

/** Another agent would have as much to say. */
function toTooLarge({ layers, timing }: LeaseResultMessage): LeaseResultMessage {
  const detail = `what its tests say and the names of what it left are together larger than a message, which is at most ${MESSAGE_BYTES_MAX} bytes`;
  const failure = { code: 'internal', detail, isRetryable: false };
  return { verdict: null, endedIn: null, compile: null, run: null, layers, timing, failure };
}

function isMessage(text: string): boolean {
  return 3 * text.length <= MESSAGE_BYTES_MAX || Buffer.byteLength(text) <= MESSAGE_BYTES_MAX;
}
