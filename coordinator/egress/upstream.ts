/**
 * Owns connections to upstreams: resolving, vetting, dialling exactly a vetted address, TLS with verified certificates, keep-alive.
 * Never dials an address that the policy did not pass, not even for a name that was fine a moment ago: each connection is vetted anew.
 * Invariant: an IP literal never gets here (it would skip `lookup`); asserted.
 */
import { strict as assert } from 'node:assert';
import { lookup } from 'node:dns/promises';
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { createSecureContext } from 'node:tls';
import type { Clock } from '../../shared/clock.ts';
import type { EgressQuotas, RefusalCode } from '../../shared/model/egress.ts';
import type { AddressPolicy } from './address-policy.ts';
import type { Destination } from './admission.ts';
import { throughTunnel } from './upstream-proxy.ts';
import { findDenied, type Resolve, toLookup } from './vetted-lookup.ts';

/** The host's own resolver, its hosts file and search rules included. */
export const systemResolve: Resolve = (host) => lookup(host, { all: true, order: 'verbatim' });

/** A failure on the way to an upstream, already with its code and its sentence for the client. */
export class UpstreamError extends Error {
  readonly code: RefusalCode;

  constructor(code: RefusalCode, sentence: string) {
    super(sentence);
    this.name = 'UpstreamError';
    this.code = code;
  }
}

/** What `request` is given. */
export interface UpstreamRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: readonly string[];
}

/** The way out. */
export interface Upstream {
  /** Starts a request; the caller ends or feeds it, and passes its errors through `toUpstreamError`. */
  request(destination: Destination, request: UpstreamRequest): ClientRequest;
  close(): void;
}

/** Adapters and rules of the way out. */
export interface UpstreamSettings {
  readonly addresses: AddressPolicy;
  readonly quotas: EgressQuotas;
  readonly upstreamProxy: string | null;
  readonly loadRoots: () => string | string[];
  readonly resolve: Resolve;
  readonly clock: Clock;
}

const untrusted =
  /^(CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|INVALID_CA|PATH_LENGTH|HOSTNAME_MISMATCH|ERR_TLS_CERT_ALTNAME|CRL_)/;

/** Says what an error of node:http, node:tls or node:dns means for the build; the upstream's own words stay out. */
export function toUpstreamError(error: unknown, host: string): UpstreamError {
  if (error instanceof UpstreamError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  if (code === 'ENOTFOUND') return new UpstreamError('name-unknown', `there is no host named ${host}`);
  if (untrusted.test(code))
    return new UpstreamError('upstream-untrusted', `${host} has no certificate that this system trusts (${code})`);
  if (code.startsWith('HPE_'))
    return new UpstreamError('upstream-broken', `${host} answered with something that is not HTTP (${code})`);
  return new UpstreamError('upstream-unreachable', `${host} can't be reached now (${code})`);
}

function vettedLookup(settings: UpstreamSettings): LookupFunction {
  return toLookup(async (host) => {
    const found = await settings.resolve(host);
    const denied = findDenied(found, settings.addresses);
    if (denied !== null) {
      const { address, why } = denied;
      throw new UpstreamError('address-denied', `${host} is at ${address}, which a build may not reach: ${why}`);
    }
    if (found.length === 0) throw new UpstreamError('name-unknown', `${host} has no address`);
    return found;
  });
}

/** Makes the way out; roots are read at the first TLS connection. */
export function createUpstream(settings: UpstreamSettings): Upstream {
  const { quotas, clock, upstreamProxy } = settings;
  const pooling = {
    keepAlive: true,
    maxSockets: 64,
    maxFreeSockets: 16,
    noDelay: true,
    lookup: vettedLookup(settings),
  };
  const tunnel =
    upstreamProxy === null ? null : { proxyUrl: upstreamProxy, connectTimeoutMs: quotas.connectTimeoutMs, clock };
  const directPlain = new HttpAgent(pooling);
  const plain = tunnel === null ? directPlain : throughTunnel(directPlain, tunnel, null);
  let secure: HttpsAgent | null = null;
  const secureAgent = (): HttpsAgent => {
    if (secure !== null) return secure;
    // Parsing a bundle takes 10 ms and more: once, not per connection.
    const secureContext = createSecureContext({ ca: settings.loadRoots() });
    const direct = new HttpsAgent({ ...pooling, secureContext, ALPNProtocols: ['http/1.1'] });
    secure = tunnel === null ? direct : throughTunnel(direct, tunnel, secureContext);
    return secure;
  };
  const timeout = (host: string, what: string) =>
    new UpstreamError('upstream-unreachable', `${host} can't be reached now (${what})`);

  function watchTime(request: ClientRequest, { host, scheme }: Destination): void {
    request.once('socket', (socket) => {
      // A tunnel has its own clock and comes ready.
      if (request.reusedSocket || tunnel !== null) return;
      const timer = clock.after(quotas.connectTimeoutMs, () => request.destroy(timeout(host, 'no connection in time')));
      socket.once(scheme === 'https' ? 'secureConnect' : 'connect', () => timer.cancel());
      request.once('close', () => timer.cancel());
    });
    request.setTimeout(quotas.idleTimeoutMs, () => request.destroy(timeout(host, 'no answer in time')));
  }

  return {
    request(destination, { method, path, headers }) {
      const { scheme, host, port } = destination;
      assert(isIP(host) === 0, 'an IP literal must have been refused before');
      const options: RequestOptions = { host, port, method, path, headers, maxHeaderSize: quotas.headerBytesMax };
      const agent = scheme === 'https' ? secureAgent() : plain;
      const request =
        scheme === 'https' ? httpsRequest({ ...options, agent, servername: host }) : httpRequest({ ...options, agent });
      watchTime(request, destination);
      return request;
    },
    close() {
      plain.destroy();
      secure?.destroy();
    },
  };
}
