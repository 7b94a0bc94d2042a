/**
 * Owns which receivers webhooks may have: scheme, port, no credentials, no address that is not public unless the operator says so. Names are judged by
 * what they resolve to, when they are dialled (sender). Never resolves anything. Pure.
 * Invariant: what is refused when a client asks is refused when it is sent, too: the rules may have changed between.
 */
import { isIP } from 'node:net';
import type { AddressPolicy } from '../egress/address-policy.ts';

/** What the operator says. */
export interface ReceiverRules {
  readonly addresses: AddressPolicy;
  readonly allowsPlainHttp: boolean;
  /** Port numbers, or `*`: any. */
  readonly ports: readonly string[];
}

const defaultPorts: Readonly<Record<string, string>> = { 'https:': '443', 'http:': '80' };

/** The host of a URL as sockets take it: an IPv6 address without its brackets. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

/** Why a webhook may not be sent to this URL, as the end of a sentence; null: it may, as far as the URL tells. */
export function whyRefused(text: string, { addresses, allowsPlainHttp, ports }: ReceiverRules): string | null {
  const url = URL.parse(text);
  if (url === null || url.hostname === '') return 'is no URL of a receiver; write https://host/path';
  const standard = defaultPorts[url.protocol];
  if (standard === undefined || (url.protocol === 'http:' && !allowsPlainHttp)) {
    return `begins with ${url.protocol} and must begin with https:${allowsPlainHttp ? ' or http:' : ''}`;
  }
  if (url.username !== '' || url.password !== '') {
    return 'holds a name or password; receivers check the signature instead';
  }
  if (url.hash !== '') return 'has a fragment, which is never sent';
  const port = url.port === '' ? standard : url.port;
  if (!ports.includes('*') && !ports.includes(port)) {
    return `has port ${port}; webhooks are sent to ports ${ports.join(', ')} here`;
  }
  const host = hostOf(url);
  const why = isIP(host) === 0 ? null : addresses.whyDenied(host);
  return why === null ? null : `is at ${host}, which webhooks may not reach: ${why}`;
}
