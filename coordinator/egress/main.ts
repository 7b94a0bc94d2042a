/**
 * The egress proxy's composition root: one process per build. Standard input: an EgressConfig, then the end; descriptor 3: listening TCP for
 * port 80; 4: listening TCP for port 443; 5: UDP for port 53, all made in the build's network namespace; standard output: EgressRecord lines.
 * Never reads the environment or a file but the CA bundle and the artefact store; imports little, since a build waits for it.
 * Invariant: fails closed. SIGTERM: what is under way is recorded as cut, the summary is written, exit 0; any other end leaves no summary.
 */
import { readFileSync, writeSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { Value } from '@sinclair/typebox/value';
import { systemClock } from '../../shared/clock.ts';
import { EgressConfig, type EgressRecord } from '../../shared/model/egress.ts';
import { createAddressPolicy } from './address-policy.ts';
import { ArtefactStore } from './artefact-store.ts';
import { BUILD_NETWORK_ADDRESS } from './build-certificates.ts';
import { createLeafIssuer } from './certificates.ts';
import { createPathShapes } from './immutable-paths.ts';
import { createLedger, type Ledger } from './ledger.ts';
import { serveNames } from './names.ts';
import { createEgressProxy } from './proxy.ts';
import { loadRoots } from './trust.ts';
import { createUpstream, systemResolve } from './upstream.ts';

const EXIT_CONFIGURATION = 78;
const descriptors = { http: 3, https: 4, names: 5 } as const;

function readConfig(): EgressConfig {
  const config: unknown = JSON.parse(readFileSync(0, 'utf8'));
  if (Value.Check(EgressConfig, config)) return config;
  const [first] = Value.Errors(EgressConfig, config);
  throw new Error(`the configuration is not valid at ${first?.path}: ${first?.message}`);
}

/** Writes a whole line; the pipe's back-pressure stops the proxy, so that no record is lost. */
function print(line: string): void {
  const bytes = Buffer.from(line);
  for (let at = 0; at < bytes.length; ) at += writeSync(1, bytes, at);
}

function openStore({ store, buildId }: EgressConfig, ledger: Ledger): ArtefactStore | null {
  if (store === null) return null;
  return new ArtefactStore(store, buildId, systemClock, {
    dropped: (sentence) => ledger.write({ kind: 'note', code: 'artefact-dropped', sentence }),
    unusable: (sentence) => ledger.write({ kind: 'note', code: 'store-unusable', sentence }),
  });
}

function start(): void {
  const config = readConfig();
  const ledger = createLedger(config.quotas, print);
  const addresses = createAddressPolicy({
    allowedPrivateRanges: config.policy.allowedPrivateRanges,
    deniedRanges: config.policy.deniedRanges,
    ownAddresses: Object.values(networkInterfaces()).flatMap((list) =>
      (list ?? []).map(({ address }) => address.replace(/%.*/, '')),
    ),
  });
  const upstream = createUpstream({
    addresses,
    quotas: config.quotas,
    upstreamProxy: config.upstreamProxy,
    loadRoots: () => loadRoots(config.caBundlePath),
    resolve: systemResolve,
    clock: systemClock,
  });
  const store = openStore(config, ledger);
  const shapes = createPathShapes(config.policy.immutablePaths);
  const proxy = createEgressProxy(
    { config, ledger, upstream, store, shapes, clock: systemClock, underWay: new Set() },
    createLeafIssuer(config.authority),
  );
  // Before we say that we serve: a build that ends between the two would have no summary, and be broken. Runs only after `start` has.
  let closeNames = (): void => undefined;
  process.once('SIGTERM', () => {
    closeNames();
    proxy.close();
    ledger.close();
    process.exit(0);
  });
  // Before anything is answered: a build may end before we are here, and then silence must mean that nothing came through.
  const serving: EgressRecord = { kind: 'note', code: 'serving', sentence: 'the proxy answers from now on' };
  print(`${JSON.stringify(serving)}\n`);
  const names = serveNames(descriptors.names, BUILD_NETWORK_ADDRESS);
  closeNames = () => names.close();
  proxy.listen({ fd: descriptors.http }, 80);
  proxy.listen({ fd: descriptors.https }, 443);
}

try {
  start();
} catch (error) {
  process.stderr.write(`egress proxy: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(EXIT_CONFIGURATION);
}
