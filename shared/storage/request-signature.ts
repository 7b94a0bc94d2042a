/**
 * Owns AWS Signature Version 4 for S3-compatible stores: in a URL (presigned) or in the Authorization header.
 * Never sends anything. Written by hand because npm minio's presigned PUT signs the host only: whoever held such a URL
 * could leave out `if-none-match` and overwrite, or send other bytes than were announced.
 * Invariant: every header given here is signed, so a request that lacks or changes one of them is refused.
 */
import { createHash, createHmac } from 'node:crypto';

/** An access key, which every signed URL shows, and the secret that it stands for. */
export interface StoreCredentials {
  readonly accessKey: string;
  readonly secretKey: string;
}

/** Who signs, for which region, and when (wall-clock milliseconds). */
export interface Signer {
  readonly credentials: StoreCredentials;
  readonly region: string;
  readonly nowMs: number;
}

type Headers = Readonly<Record<string, string>>;

/** The URL with a signature that allows exactly `method` with exactly these headers for `expiresSeconds`. */
export function presignUrl(signer: Signer, method: string, url: URL, headers: Headers, expiresSeconds: number): string {
  const signed = withHost(url, headers);
  const scope = scopeOf(signer);
  const query = new Map([
    ...url.searchParams,
    ['X-Amz-Algorithm', 'AWS4-HMAC-SHA256'],
    ['X-Amz-Credential', `${signer.credentials.accessKey}/${scope}`],
    ['X-Amz-Date', timestampOf(signer)],
    ['X-Amz-Expires', String(expiresSeconds)],
    ['X-Amz-SignedHeaders', namesOf(signed)],
  ]);
  const queryText = toQuery(query);
  const signature = sign(signer, [method, url.pathname, queryText, signed, 'UNSIGNED-PAYLOAD']);
  return `${url.origin}${url.pathname}?${queryText}&X-Amz-Signature=${signature}`;
}

/** The headers to send, Authorization included, for a request whose whole body is at hand. */
export function signHeaders(signer: Signer, method: string, url: URL, headers: Headers, body: Uint8Array): Headers {
  const bodyHash = sha256(body);
  const sent = { ...headers, 'x-amz-content-sha256': bodyHash, 'x-amz-date': timestampOf(signer) };
  const signed = withHost(url, sent);
  const signature = sign(signer, [method, url.pathname, toQuery(new Map(url.searchParams)), signed, bodyHash]);
  const credential = `${signer.credentials.accessKey}/${scopeOf(signer)}`;
  return {
    ...sent,
    authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${namesOf(signed)}, Signature=${signature}`,
  };
}

type SignedHeaders = readonly (readonly [name: string, value: string])[];
type CanonicalRequest = readonly [method: string, path: string, query: string, headers: SignedHeaders, body: string];

function sign(signer: Signer, [method, path, query, headers, body]: CanonicalRequest): string {
  const headerLines = headers.map(([name, value]) => `${name}:${value.trim()}\n`).join('');
  const canonical = [method, path, query, headerLines, namesOf(headers), body].join('\n');
  const text = ['AWS4-HMAC-SHA256', timestampOf(signer), scopeOf(signer), sha256(canonical)].join('\n');
  const key = [...scopeOf(signer).split('/')].reduce<string | Buffer>(
    (previous, part) => hmac(previous, part),
    `AWS4${signer.credentials.secretKey}`,
  );
  return hmac(key, text).toString('hex');
}

function withHost(url: URL, headers: Headers): SignedHeaders {
  const all = Object.entries({ ...headers, host: url.host });
  return all.sort(([left], [right]) => (left < right ? -1 : 1));
}

function namesOf(headers: SignedHeaders): string {
  return headers.map(([name]) => name).join(';');
}

function scopeOf(signer: Signer): string {
  return `${timestampOf(signer).slice(0, 8)}/${signer.region}/s3/aws4_request`;
}

function timestampOf(signer: Signer): string {
  return new Date(signer.nowMs).toISOString().replace(/[-:]|\.\d{3}/g, '');
}

function toQuery(parameters: ReadonlyMap<string, string>): string {
  const pairs = [...parameters].map(([name, value]) => `${encode(name)}=${encode(value)}`);
  return pairs.sort().join('&');
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
