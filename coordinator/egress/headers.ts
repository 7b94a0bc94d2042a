/**
 * Owns which header fields cross the proxy: all of them raw, in order and with duplicates, but those that belong to one hop,
 * and those that would make an answer partial (every recorded body must be whole).
 * Never changes a value.
 * Invariant: a name that Connection lists does not cross.
 */

/** Names and values in turn, as node:http gives and takes them. */
export type RawHeaders = readonly string[];

const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'expect',
]);

const partial = new Set(['range', 'if-range', 'if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since']);

function pairs(raw: RawHeaders): [string, string][] {
  const found: [string, string][] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) found.push([raw[at] ?? '', raw[at + 1] ?? '']);
  return found;
}

function crossing(raw: RawHeaders, isDropped: (name: string) => boolean): string[] {
  const all = pairs(raw);
  const listed = new Set(
    all
      .filter(([name]) => name.toLowerCase() === 'connection')
      .flatMap(([, value]) => value.split(',').map((token) => token.trim().toLowerCase())),
  );
  return all
    .filter(([name]) => {
      const lower = name.toLowerCase();
      return !hopByHop.has(lower) && !listed.has(lower) && !isDropped(lower);
    })
    .flat();
}

/** The header for the upstream: Host is set anew, so that it can't differ from where the request goes. */
export function toUpstreamHeaders(raw: RawHeaders, authority: string, hasBody: boolean): string[] {
  const isDropped = (name: string): boolean =>
    name === 'host' || partial.has(name) || (!hasBody && name === 'content-length');
  const kept = crossing(raw, isDropped);
  const isChunked = hasBody && !kept.some((text, at) => at % 2 === 0 && text.toLowerCase() === 'content-length');
  return ['Host', authority, ...kept, ...(isChunked ? ['Transfer-Encoding', 'chunked'] : [])];
}

/** The header for the client. */
export function toClientHeaders(raw: RawHeaders): string[] {
  return crossing(raw, () => false);
}

/** The values of a field, joined as lists are; null when it is not there. */
export function headerOf(raw: RawHeaders, wanted: string): string | null {
  const values = pairs(raw).flatMap(([name, value]) => (name.toLowerCase() === wanted ? [value] : []));
  return values.length === 0 ? null : values.join(', ');
}

/** The directives of Cache-Control in lower case, with their arguments ('' for none). */
export function directivesOf(raw: RawHeaders): ReadonlyMap<string, string> {
  const listed = (headerOf(raw, 'cache-control') ?? '').split(',').map((part) => part.trim().toLowerCase());
  return new Map(
    listed
      .filter((part) => part !== '')
      .map((part) => {
        const [name = '', argument = ''] = part.split('=', 2);
        return [name.trim(), argument.trim().replaceAll('"', '')];
      }),
  );
}

/** The header with these fields in place of its own of the same names. */
export function withFields(raw: RawHeaders, fields: readonly (readonly [name: string, value: string])[]): string[] {
  const names = new Set(fields.map(([name]) => name.toLowerCase()));
  return [...pairs(raw).filter(([name]) => !names.has(name.toLowerCase())), ...fields].flat();
}

/** All fields with lower-case names, but those of one hop and those that make an answer partial; order kept. */
export function crossingFields(raw: RawHeaders): [name: string, value: string][] {
  return pairs(crossing(raw, (name) => partial.has(name))).map(([name, value]) => [name.toLowerCase(), value]);
}

const credentialNames = new Set([
  'authorization',
  'cookie',
  'x-api-key',
  'private-token',
  'x-auth-token',
  'proxy-authorization',
]);

/** Does the request carry something that may be a credential? */
export function hasCredentials(raw: RawHeaders): boolean {
  return pairs(raw).some(([name]) => credentialNames.has(name.toLowerCase()));
}
