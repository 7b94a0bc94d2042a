/**
 * Owns what a request must look like to be forwarded: host, scheme, method, target, headers. Pure: it dials and remembers nothing.
 * Never judges addresses (address-policy) nor amounts (quotas).
 * Invariant: whatever is not plainly allowed is refused with a code and one sentence that the client will show.
 */
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { EgressPolicy, RefusalCode } from '../../shared/model/egress.ts';

/** A refusal: how it is recorded and what the client is told. */
export interface Refusal {
  readonly code: RefusalCode | 'audit-denied';
  readonly sentence: string;
}

/** Where a request goes. */
export interface Destination {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
}

/** A TLS connection's or plain connection's facts that a request can't change. */
export interface Origin {
  readonly scheme: 'http' | 'https';
  readonly port: number;
  /** From TLS; null for plain connections. */
  readonly serverName: string | null;
}

const deny = (code: Refusal['code'], sentence: string): Refusal => ({ code, sentence });

/** Is it a refusal? */
export function isRefusal(value: object): value is Refusal {
  return 'sentence' in value;
}

/** A host name in lower case without its last dot, or null: literals (in any spelling) and odd characters are no names. */
export function toHostName(text: string): string | null {
  const name = text.toLowerCase().replace(/\.$/, '');
  if (name.length > 253 || isIP(name) !== 0) return null;
  if (!/^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/.test(name)) return null;
  // 127.1, 0x7f000001, 017700000001: resolvers take a name whose last label is a number for an address.
  return /(^|\.)(\d+|0x[0-9a-f]*)$/.test(name) ? null : name;
}

/** Does `pattern` (`name`, `*.name` or `*`) mean this host? */
export function isHostMatched(pattern: string, host: string): boolean {
  if (pattern === '*') return true;
  return pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) : host === pattern;
}

/** Whether the operator's policy lets this host be reached. */
export function whyHostDenied(policy: EgressPolicy, host: string): Refusal | null {
  if (policy.denyHosts.some((pattern) => isHostMatched(pattern, host)))
    return deny('host-denied', `${host} is denied by the operator's policy`);
  if (!policy.allowHosts.some((pattern) => isHostMatched(pattern, host)))
    return deny('host-denied', `${host} is not among the hosts that the operator's policy allows`);
  // A bare word would be completed by the resolver's search domains: only an operator can mean that.
  if (!host.includes('.') && !policy.allowHosts.includes(host))
    return deny('host-denied', `${host} is not a full host name, and the operator's policy does not list it`);
  return null;
}

/** Where the request goes, from TLS's server name or the Host header, or why it goes nowhere. */
export function destinationOf(request: IncomingMessage, origin: Origin): Destination | Refusal {
  const hosts = request.rawHeaders.filter((text, at) => at % 2 === 0 && text.toLowerCase() === 'host').length;
  const [, named = '', port] = /^([^:]*)(?::(\d{1,5}))?$/.exec(request.headers.host ?? '') ?? [];
  if (hosts !== 1) return deny('request-invalid', 'a request needs exactly one Host header');
  const host = toHostName(named);
  if (host === null)
    return deny(
      'host-invalid',
      `"${(request.headers.host ?? '').slice(0, 80)}" is not a host name; addresses can't be reached by number`,
    );
  if (port !== undefined && Number(port) !== origin.port)
    return deny('request-invalid', `port ${port} can't be reached, only 80 and 443`);
  if (origin.serverName !== null && toHostName(origin.serverName) !== host)
    return deny('request-invalid', `the Host header says ${host}, the TLS connection was made for another name`);
  return { scheme: origin.scheme, host, port: origin.port };
}

const isUploadPack = (path: string): boolean => path.endsWith('/git-upload-pack');

function methodRefusal(request: IncomingMessage, path: string, query: string): Refusal | null {
  const { method } = request;
  if (/(^|&)service=git-receive-pack(&|$)/.test(query) || path.endsWith('/git-receive-pack'))
    return deny('method-denied', 'a build may fetch by git, not push');
  if (method === 'GET' || method === 'HEAD') return null;
  if (method === 'POST' && isUploadPack(path))
    return request.headers['content-type'] === 'application/x-git-upload-pack-request'
      ? null
      : deny('method-denied', 'a git fetch needs content type application/x-git-upload-pack-request');
  if (method === 'POST' && path.includes('/-/npm/v1/security/'))
    return deny('audit-denied', 'a build sends no package lists to audit services');
  return deny('method-denied', `a build may GET, HEAD and fetch by git, not ${method}`);
}

/** Why the request itself is not forwarded, whatever its host; null when it may. */
export function whyRequestDenied(request: IncomingMessage, urlBytesMax: number): Refusal | null {
  const target = request.url ?? '';
  if (!target.startsWith('/'))
    return deny('request-invalid', 'the request target is not a path: no proxy is needed here');
  // A server may read it as part of the path; the record, as all clients, would leave it out.
  if (target.includes('#')) return deny('request-invalid', 'the request target has a fragment');
  if (Buffer.byteLength(target) > urlBytesMax)
    return deny('request-invalid', `the URL is longer than ${urlBytesMax} bytes`);
  const [path = '', query = ''] = target.split(/\?(.*)/s, 2);
  const refusal = methodRefusal(request, path, query);
  if (refusal !== null) return refusal;
  const hasBody =
    request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) !== 0;
  // A body on GET would be a way out and, unread, would be taken for the next request.
  return hasBody && request.method !== 'POST' ? deny('request-invalid', `a ${request.method} has no body`) : null;
}
