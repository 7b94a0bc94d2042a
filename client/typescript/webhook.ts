/**
 * Owns what a receiver checks of a webhook before it believes it: the signature by the Standard Webhooks scheme, over the bytes as they came, and its time.
 * Never parses a body that nobody signed, never throws: what is wrong has a name. WebCrypto compares, in a time that tells nothing.
 * A receiver remembers ids of what it has taken: a delivery may come twice, under the same id.
 */
import type { Execution } from '../../shared/model/execution.ts';
import { fromBase64 } from './base64.ts';
import { platformClock } from './clock.ts';
import { type Bytes, toBytes } from './signatures.ts';

/** Every problem with its sentence. */
export const webhookProblems = {
  'headers-missing': 'webhook-id, webhook-timestamp and webhook-signature are not all there, or not of their form',
  'secret-malformed': 'a secret is not whsec_ and base64',
  'timestamp-too-old': 'it was signed longer ago than is allowed: somebody may have kept it',
  'timestamp-too-new': 'it was signed later than now, by more than is allowed: a clock is wrong',
  'signature-wrong': 'none of its signatures was made with a given secret over this body',
  'body-malformed': 'what was signed is no event of this API',
} as const;

/** Why a webhook is not to be believed. */
export type WebhookProblem = keyof typeof webhookProblems;

/** What a receiver is told. */
export interface WebhookEvent {
  readonly type: 'execution.finished';
  /** When it happened. */
  readonly timestamp: string;
  readonly data: Execution;
}

/** What a webhook is checked against. */
export interface WebhookEvidence {
  /** Of the request, as a framework gives them. */
  readonly headers: Headers | Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The body as it came, before anybody parsed it. */
  readonly body: string | Uint8Array;
  /** `GET /v1/webhooks/secret`; several while one replaces another. */
  readonly secret: string | readonly string[];
  /** How far its time may be from now; default 300 seconds. */
  readonly toleranceSeconds?: number;
  /** Milliseconds since 1970; default: this machine's clock. */
  readonly nowMs?: number;
}

/** What came out; `id` is the same whenever a delivery comes again. */
export type WebhookVerdict =
  | { readonly isValid: true; readonly id: string; readonly event: WebhookEvent }
  | { readonly isValid: false; readonly reason: WebhookProblem };

const SECRET_PREFIX = 'whsec_';
const SIGNATURES_MAX = 16;
const decoder = new TextDecoder('utf-8', { fatal: true });

function headerOf(headers: WebhookEvidence['headers'], name: string): string | null {
  if (headers instanceof Headers) return headers.get(name);
  // Names are written in whatever way a framework likes.
  const found = Object.entries(headers).find(([given]) => given.toLowerCase() === name)?.[1];
  return typeof found === 'string' ? found : null;
}

function toSecretBytes(secret: string): Bytes | null {
  const bytes = fromBase64(secret.startsWith(SECRET_PREFIX) ? secret.slice(SECRET_PREFIX.length) : secret);
  return bytes === null || bytes.length === 0 ? null : bytes;
}

function concat(head: Bytes, body: Uint8Array): Bytes {
  const all = new Uint8Array(head.length + body.length);
  all.set(head);
  all.set(body, head.length);
  return all;
}

async function isSignedBy(secret: Bytes, signatures: readonly Bytes[], signed: Bytes): Promise<boolean> {
  const key = await crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
  for (const signature of signatures) if (await crypto.subtle.verify('HMAC', key, signature, signed)) return true;
  return false;
}

function toEvent(body: Uint8Array): WebhookEvent | null {
  try {
    const event = JSON.parse(decoder.decode(body)) as Partial<WebhookEvent> | null;
    const isOurs = event?.type === 'execution.finished' && typeof event.data?.id === 'string';
    return isOurs && typeof event.timestamp === 'string' ? (event as WebhookEvent) : null;
  } catch {
    return null;
  }
}

const no = (reason: WebhookProblem): WebhookVerdict => ({ isValid: false, reason });

/** Checks a webhook as it came. */
export async function verifyWebhook(evidence: WebhookEvidence): Promise<WebhookVerdict> {
  const { headers, secret, toleranceSeconds = 300, nowMs = platformClock.nowMs() } = evidence;
  const body = typeof evidence.body === 'string' ? toBytes(evidence.body) : evidence.body;
  const [id, timestamp, given] = ['id', 'timestamp', 'signature'].map((part) => headerOf(headers, `webhook-${part}`));
  if (!id || !given || !timestamp || !/^\d{1,12}$/.test(timestamp)) return no('headers-missing');
  const ageSeconds = nowMs / 1000 - Number(timestamp);
  if (ageSeconds > toleranceSeconds) return no('timestamp-too-old');
  if (ageSeconds < -toleranceSeconds) return no('timestamp-too-new');
  const secrets = (typeof secret === 'string' ? [secret] : secret).map(toSecretBytes);
  // Signatures of a later scheme are somebody else's to read.
  const signatures = given
    .split(' ')
    .slice(0, SIGNATURES_MAX)
    .flatMap((text) => (text.startsWith('v1,') ? (fromBase64(text.slice(3)) ?? []) : []));
  const signed = concat(toBytes(`${id}.${timestamp}.`), body);
  let isSigned = false;
  for (const known of secrets) {
    if (known === null) return no('secret-malformed');
    if (await isSignedBy(known, signatures, signed)) isSigned = true;
  }
  if (!isSigned) return no('signature-wrong');
  const event = toEvent(body);
  return event === null ? no('body-malformed') : { isValid: true, id, event };
}
