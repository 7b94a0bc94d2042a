/**
 * Owns what is kept about a body: the URL without its secrets, digest and length of what was sent, the redirect, git's object ids.
 * Never keeps a body.
 * Invariant: a query string with anything that looks like a signature or a token is left out whole.
 */
import { createHash } from 'node:crypto';
import { Transform, type TransformCallback } from 'node:stream';
import { gunzipSync } from 'node:zlib';

const signedNames =
  /^(x-(amz|goog|oss|cos|ms|tos|obs)-.*|(aws)?access_?key_?id|googleaccessid|ossaccesskeyid|key-pair-id|policy|signature|sig|sign|hmac|expires|expiry|se|sp|sv|sr|skoid|(access_?|auth_?|private_?|job_?|id_?|session_?)?token|.*(api_?key|secret|password|passwd)|auth|authkey|jwt|code|credential|key)$/i;

/** Does a query string (without `?`) hold a signature, a token or something that long and opaque? */
export function isSignedQuery(query: string): boolean {
  return query.split('&').some((parameter) => {
    const [name = '', value = ''] = parameter.split(/=(.*)/s, 2);
    if (signedNames.test(name)) return true;
    // A revision or checksum is as long as a token, but says what it is.
    if (/^(v|ver|version|ref|rev|commit|sha\d*|hash|checksum|digest)$/i.test(name) && /^[0-9a-f]+$/i.test(value))
      return false;
    return /^[A-Za-z0-9+/_=%.-]{40,}$/.test(value);
  });
}

/** A URL without user information, fragment and signed query string, for records; what is no http URL becomes empty. */
export function toRecordedUrl(url: string): string {
  const parts = /^(https?:\/\/)(?:[^/?#]*@)?([^/?#]*)([^?#]*)(?:\?([^#]*))?/i.exec(url);
  if (parts === null) return '';
  const [, scheme = '', authority = '', path = '', query] = parts;
  if (query === undefined) return scheme + authority + path;
  return `${scheme}${authority}${path}?${isSignedQuery(query) ? '…' : query}`;
}

/** Where a Location header points, absolute; null when there is none or it can't be read. */
export function toRedirectTarget(location: string | undefined, url: string): string | null {
  return location !== undefined && URL.canParse(location, url) ? new URL(location, url).href : null;
}

/** Passes bytes on, counts them and knows their SHA-256 so far; `take` sees each chunk and may refuse it with an error. */
export class Meter extends Transform {
  readonly #digest = createHash('sha256');
  readonly #take: (chunk: Buffer) => Error | null;
  #bytes = 0;

  constructor(take: (chunk: Buffer) => Error | null) {
    super();
    this.#take = take;
  }

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    const refusal = this.#take(chunk);
    if (refusal !== null) return void done(refusal);
    this.#bytes += chunk.length;
    this.#digest.update(chunk);
    done(null, chunk);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Of what has passed until now; may be asked at any time. */
  get sha256(): string {
    return this.#digest.copy().digest('hex');
  }
}

const WANTS_BYTES_MAX = 256 * 1024;

/** The object ids that a `git-upload-pack` request wants (protocol v0 to v2), gzip-encoded or not; at most 256. */
export function wantedObjects(body: Buffer): readonly string[] {
  let text = body;
  if (body[0] === 0x1f && body[1] === 0x8b) {
    try {
      text = gunzipSync(body, { maxOutputLength: WANTS_BYTES_MAX });
    } catch {
      return [];
    }
  }
  const wants = new Set<string>();
  for (let at = 0; at + 4 <= text.length && wants.size < 256; ) {
    const length = Number.parseInt(text.toString('latin1', at, at + 4), 16);
    if (Number.isNaN(length)) break;
    // Lengths below 4 are the flush, delimiter and end packets.
    const end = at + Math.max(length, 4);
    const want = /^want ([0-9a-f]{64}|[0-9a-f]{40})\b/.exec(text.toString('latin1', at + 4, Math.min(end, at + 120)));
    if (want?.[1] !== undefined) wants.add(want[1]);
    at = end;
  }
  return [...wants];
}

/** Passes a git request's body on and remembers its beginning, where the wants stand. */
export class WantsReader extends Transform {
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    if (this.#bytes < WANTS_BYTES_MAX) this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    done(null, chunk);
  }

  get wants(): readonly string[] {
    return wantedObjects(Buffer.concat(this.#chunks));
  }
}
