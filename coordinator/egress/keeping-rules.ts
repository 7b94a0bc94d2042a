/**
 * Owns what may be kept of an answer and when a kept one may be given out again. Pure; the store's files are artefact-store's.
 * Never lets an answer be served unasked unless its sender or the operator's shapes say that its URL never changes.
 * Invariant: whatever a request says that could have changed its answer is part of the index, so that nobody can have an odd answer
 * kept for others (docs/decisions/0013-kept-artefacts.md).
 */
import { createHash } from 'node:crypto';
import { canonicalJson } from '../../shared/digest.ts';
import { crossingFields, directivesOf, hasCredentials, headerOf, type RawHeaders } from './headers.ts';
import type { PathShapes } from './immutable-paths.ts';
import { isSignedQuery } from './materials.ts';
import type { Route } from './mirrors.ts';

/** What a request is, as far as keeping is concerned. */
export interface KeepableRequest {
  readonly method: string;
  /** The true URL, whatever mirror is asked. */
  readonly url: string;
  readonly target: string;
  readonly rawHeaders: RawHeaders;
  readonly route: Route;
}

/** What came of it. */
export interface KeepableAnswer {
  readonly httpCode: number;
  readonly rawHeaders: RawHeaders;
}

/** Fields by which clients introduce themselves or talk about caching; an answer that depends on one says so in Vary. */
const indifferent = /^(host|user-agent|cache-control|pragma|cargo-protocol|npm-[a-z-]+|pacote-[a-z-]+)$/;
/** A Last-Modified this close to the answer's own time does not tell two versions of one second apart (RFC 9110, 8.8.2.2). */
const WEAK_MS = 60_000;

/** May answers to this request be kept and kept ones be used? Anything with a credential or a signature is its sender's own. */
export function isRequestKeepable({ method, target, rawHeaders }: KeepableRequest): boolean {
  const [, query = ''] = target.split(/\?(.*)/s, 2);
  return (
    method === 'GET' &&
    !hasCredentials(rawHeaders) &&
    !isSignedQuery(query) &&
    !directivesOf(rawHeaders).has('no-store')
  );
}

/**
 * Name of the answer to this request in the store. A body that crossed the network without TLS is the tenant's own:
 * it could have been swapped on the way.
 */
export function toIndex({ url, rawHeaders, route }: KeepableRequest, tenantId: string): string {
  const partition = route.destination.scheme === 'https' ? 'https' : `http/${tenantId}`;
  const fields = crossingFields(rawHeaders).filter(([name]) => !indifferent.test(name));
  const negotiated = fields.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const text = canonicalJson(['artefact/v1', partition, route.mirror, url, negotiated]);
  return createHash('sha256').update(text).digest('hex');
}

/** The request fields that the answer's Vary names, with their values; null when it varies by everything. */
export function variedFields(request: RawHeaders, answer: RawHeaders): [name: string, value: string][] | null {
  const names = (headerOf(answer, 'vary') ?? '').split(',').map((name) => name.trim().toLowerCase());
  if (names.includes('*')) return null;
  return names.filter((name) => name !== '').map((name) => [name, headerOf(request, name) ?? '']);
}

/** Did the kept answer's request say the same in the fields that the answer varies by? */
export function isVariedSame(request: RawHeaders, varied: readonly (readonly [string, string])[]): boolean {
  return varied.every(([name, value]) => (headerOf(request, name) ?? '') === value);
}

/** By what the upstream can be asked whether the answer is still its own; null: by nothing. */
export function validatorOf(rawHeaders: RawHeaders): [name: string, value: string] | null {
  const tag = headerOf(rawHeaders, 'etag');
  if (tag !== null) return ['If-None-Match', tag];
  const modified = headerOf(rawHeaders, 'last-modified');
  const distanceMs = Date.parse(headerOf(rawHeaders, 'date') ?? '') - Date.parse(modified ?? '');
  return modified !== null && distanceMs >= WEAK_MS ? ['If-Modified-Since', modified] : null;
}

/** How long `Cache-Control: immutable` lets an answer be served unasked; milliseconds. */
export function immutableMs(rawHeaders: RawHeaders): number {
  const directives = directivesOf(rawHeaders);
  const seconds = Number(directives.get('s-maxage') ?? directives.get('max-age') ?? 0);
  const ageSeconds = Number(headerOf(rawHeaders, 'age') ?? 0);
  const leftMs = (seconds - ageSeconds) * 1000;
  return directives.has('immutable') && leftMs > 0 ? leftMs : 0;
}

/** May this answer be kept? */
export function isAnswerKeepable(
  request: KeepableRequest,
  { httpCode, rawHeaders }: KeepableAnswer,
  shapes: PathShapes,
): boolean {
  if (httpCode !== 200 || !isRequestKeepable(request)) return false;
  const directives = directivesOf(rawHeaders);
  if (directives.has('no-store') || directives.has('private')) return false;
  if (headerOf(rawHeaders, 'set-cookie') !== null || variedFields(request.rawHeaders, rawHeaders) === null)
    return false;
  return validatorOf(rawHeaders) !== null || immutableMs(rawHeaders) > 0 || shapes.isImmutable(request.target);
}

/** May an answer kept at `storedAtMs` be served without asking? Not when the client wants it to be asked for. */
export function isServedUnasked(
  request: KeepableRequest,
  kept: { readonly rawHeaders: RawHeaders; readonly storedAtMs: number },
  shapes: PathShapes,
  nowMs: number,
): boolean {
  const wanted = directivesOf(request.rawHeaders);
  if (wanted.has('no-cache') || headerOf(request.rawHeaders, 'pragma') !== null) return false;
  // apt asks for every index with max-age=0, also for those named by their digest: no age makes these another answer.
  if (shapes.isImmutable(request.target)) return true;
  if (wanted.get('max-age') === '0') return false;
  return nowMs - kept.storedAtMs < immutableMs(kept.rawHeaders);
}
