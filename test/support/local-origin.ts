/**
 * Owns an HTTPS origin on loopback for tests, under an authority of its own, and a proxy in this process that leads to it.
 * Never needs root: the proxy's ports stand for the origin's, whatever they are.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { OutgoingHttpHeaders, RequestListener } from 'node:http';
import { createServer, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createAddressPolicy } from '../../coordinator/egress/address-policy.ts';
import { ArtefactStore } from '../../coordinator/egress/artefact-store.ts';
import { createBuildAuthority, createLeafIssuer } from '../../coordinator/egress/certificates.ts';
import { createPathShapes } from '../../coordinator/egress/immutable-paths.ts';
import { createLedger } from '../../coordinator/egress/ledger.ts';
import { createEgressProxy } from '../../coordinator/egress/proxy.ts';
import { createUpstream } from '../../coordinator/egress/upstream.ts';
import type { Resolve } from '../../coordinator/egress/vetted-lookup.ts';
import { type Clock, systemClock } from '../../shared/clock.ts';
import {
  type ArtefactRecord,
  type ArtefactStoreAccess,
  defaultEgressPolicy,
  defaultEgressQuotas,
  type EgressPolicy,
  type EgressQuotas,
  type EgressRecord,
  type RefusalRecord,
} from '../../shared/model/egress.ts';

/** An origin for every host name, with a bundle that holds its authority. */
export async function startOrigin(listener: RequestListener, where: { host?: string; port?: number } = {}) {
  const authority = createBuildAuthority();
  const leaves = createLeafIssuer(authority);
  const server = createServer({ SNICallback: (name, done) => done(null, leaves.contextFor(name)) }, listener);
  server.listen(where.port ?? 0, where.host ?? '127.0.0.1');
  await once(server, 'listening');
  const folder = mkdtempSync(join(tmpdir(), 'origin-'));
  const caBundlePath = join(folder, 'roots.pem');
  writeFileSync(caBundlePath, authority.certificatePem);
  return {
    server,
    port: (server.address() as AddressInfo).port,
    roots: authority.certificatePem,
    caBundlePath,
    stop() {
      server.close();
      server.closeAllConnections();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What a client got through the proxy. */
export interface Answer {
  readonly httpCode: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** How a local proxy differs from the default. */
export interface LocalProxyOptions {
  readonly port: number;
  readonly roots: string;
  readonly resolve?: Resolve;
  readonly policy?: Partial<EgressPolicy>;
  readonly quotas?: Partial<EgressQuotas>;
  readonly upstreamProxy?: string;
  readonly store?: ArtefactStoreAccess;
  readonly clock?: Clock;
}

/** A proxy in this process whose upstream port is the origin's; every name resolves to loopback, which is allowed. */
export async function startLocalProxy(options: LocalProxyOptions) {
  const authority = createBuildAuthority();
  const quotas = { ...defaultEgressQuotas, ...options.quotas };
  const policy = { ...defaultEgressPolicy, allowedPrivateRanges: ['127.0.0.1'], ...options.policy };
  const records: EgressRecord[] = [];
  const ledger = createLedger(quotas, (line) => records.push(JSON.parse(line) as EgressRecord));
  const upstream = createUpstream({
    addresses: createAddressPolicy({ ...policy, ownAddresses: [] }),
    quotas,
    upstreamProxy: options.upstreamProxy ?? null,
    loadRoots: () => options.roots,
    resolve: options.resolve ?? (async () => [{ address: '127.0.0.1', family: 4 }]),
    clock: systemClock,
  });
  const access = options.store ?? null;
  const config = { buildId: 'test', authority, caBundlePath: null, policy, quotas, upstreamProxy: null, store: access };
  const clock = options.clock ?? systemClock;
  const note = (code: 'artefact-dropped' | 'store-unusable') => (sentence: string) =>
    ledger.write({ kind: 'note', code, sentence });
  const news = { dropped: note('artefact-dropped'), unusable: note('store-unusable') };
  const store = access === null ? null : new ArtefactStore(access, 'test', clock, news);
  const shapes = createPathShapes(policy.immutablePaths);
  const context = { config, ledger, upstream, store, shapes, clock, underWay: new Set<() => void>() };
  const proxy = createEgressProxy(context, createLeafIssuer(authority));
  const listener = proxy.listen({ host: '127.0.0.1', port: 0 }, options.port);
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;

  return {
    port,
    records,
    proxy,
    ledger,
    certificatePem: authority.certificatePem,
    artefacts: () => records.filter((record): record is ArtefactRecord => record.kind === 'artefact'),
    refusals: () => records.filter((record): record is RefusalRecord => record.kind === 'refusal'),
    /** One request on a connection of its own; rejects when the answer breaks off. */
    async fetch(
      path: string,
      {
        host = 'good.example',
        method = 'GET',
        headers = {},
        body = '',
      }: { host?: string; method?: string; headers?: OutgoingHttpHeaders; body?: string } = {},
    ): Promise<Answer> {
      const request = httpsRequest({
        host: '127.0.0.1',
        port,
        servername: host,
        ca: authority.certificatePem,
        path,
        method,
        agent: false,
        headers: { host: `${host}:${options.port}`, ...headers },
      });
      request.end(body);
      const [response] = await once(request, 'response');
      return { httpCode: response.statusCode, headers: response.headers, body: await text(response) };
    },
    stop() {
      proxy.close();
    },
  };
}
