/**
 * Owns sending some bytes to a URL that is its own permission. Never tries twice and never follows a redirect.
 * By node:http, which is loaded anyway: undici costs an agent 20 MB of memory.
 */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { text } from 'node:stream/consumers';

/** What was answered; a body that is no JSON is empty. */
export interface PutAnswer {
  readonly status: number;
  readonly body: { readonly file?: unknown; readonly sha256?: unknown; readonly code?: unknown };
}

const STALL_TIMEOUT_MS = 30_000;

/** Puts bytes; rejects when the connection fails, or nothing moves on it for too long. */
export async function putBytes(url: string, bytes: Uint8Array): Promise<PutAnswer> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const headers = { 'content-type': 'application/octet-stream', 'content-length': bytes.length };
    const sent = (url.startsWith('https:') ? httpsRequest : httpRequest)(url, { method: 'PUT', headers, agent: false });
    sent.once('error', reject);
    sent.once('response', resolve);
    sent.setTimeout(STALL_TIMEOUT_MS, () => sent.destroy(new Error(`nothing moved for ${STALL_TIMEOUT_MS} ms`)));
    sent.end(bytes);
  });
  const said = await text(answer);
  try {
    return { status: answer.statusCode ?? 0, body: JSON.parse(said) };
  } catch {
    return { status: answer.statusCode ?? 0, body: {} };
  }
}
