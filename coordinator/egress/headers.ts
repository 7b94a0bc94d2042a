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
