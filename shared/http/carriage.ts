/**
 * Owns what must be true of how a request travels before anybody reads its body: whom it names, in which coding and charset its body comes, what it
 * expects. Never looks at a body, a key or a route.
 */
import type { IncomingMessage } from 'node:http';
import { SystemError } from '../errors.ts';

const SHOWN_CHARACTERS_MAX = 64;

const shorten = (text: string) => JSON.stringify(text.slice(0, SHOWN_CHARACTERS_MAX));

const absolute = /^https?:\/\/([^/?#]*)/i;

/** The path of a target that names scheme and host as well, as a proxy is asked. */
export function toPath(target: string): string {
  const path = target.replace(absolute, '');
  return path.startsWith('/') ? path : `/${path}`;
}

/** Throws SystemError `request-invalid` or `media-type-unsupported`; `target` is as it came. */
export function checkCarriage(
  { headers, httpVersion }: Pick<IncomingMessage, 'headers' | 'httpVersion'>,
  target: string,
): void {
  if (httpVersion !== '1.0' && headers.host === undefined)
    throw new SystemError('request-invalid', 'a request of HTTP/1.1 says whom it is for: send the header host');
  const named = absolute.exec(target)?.[1];
  if (named !== undefined && named.toLowerCase() !== headers.host?.toLowerCase())
    throw new SystemError('request-invalid', `the request line names ${shorten(named)}, and the header host another`);
  const { expect } = headers;
  if (expect !== undefined && !isContinue(expect))
    throw new SystemError('request-invalid', `nobody here knows what to do about expect: ${shorten(expect)}`);
  const coding = headers['content-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'identity')
    throw new SystemError('media-type-unsupported', `content-encoding is ${shorten(coding)}; send the body as it is`);
  const charset = /;\s*charset="?([^;"]*)/i.exec(headers['content-type'] ?? '')?.[1];
  if (charset !== undefined && !/^utf-?8$/i.test(charset.trim()))
    throw new SystemError('media-type-unsupported', `charset is ${shorten(charset)}; send the body in UTF-8`);
}

/** Does the sender wait for a word before it sends its body? */
export function isContinue(expect: string | undefined): boolean {
  return expect?.toLowerCase() === '100-continue';
}
