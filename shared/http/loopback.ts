/**
 * Owns who may ask a server of this machine alone: whoever reaches a loopback address by its own name and is no foreign page in a browser.
 * Never knows a key and never looks at bodies.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { SystemError } from '../errors.ts';

const loopbackHost = /^(127(\.\d{1,3}){3}|\[::1\]|localhost)(:\d{1,5})?$/i;

/** Is this address one that only this machine can reach? */
export function isLoopback(host: string): boolean {
  return host === '::1' || loopbackHost.test(host);
}

/** A page of another origin and a name that was pointed at us are refused: SystemError `forbidden`; `sentence` says what is served instead. */
export function requireLoopback(
  { host, origin, ...headers }: IncomingHttpHeaders,
  sentence: (host: string) => string,
): void {
  if (host === undefined || !loopbackHost.test(host)) throw new SystemError('forbidden', sentence(host ?? ''));
  const site = headers['sec-fetch-site'];
  const isOwnOrigin = origin === undefined || origin === `http://${host}`;
  if (!isOwnOrigin || (site !== undefined && site !== 'same-origin' && site !== 'none')) {
    throw new SystemError('forbidden', 'pages of another origin may not use this instance');
  }
}

/** The key that a request bears, or null. */
export function bearerOf({ authorization }: IncomingHttpHeaders): string | null {
  return /^Bearer +([!-~]+)$/i.exec(authorization ?? '')?.[1] ?? null;
}
