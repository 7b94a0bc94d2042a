/**
 * Owns the composition of the verifier's process: configuration, signing key, store adapter, socket, signals.
 * Never decides about a layer (verifier.ts). The sole process with the signing key and the store's credentials to write and to delete.
 */
import { chmod, lstat, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { systemClock } from '../../../shared/clock.ts';
import { loadConfig, refuseToStart, variableName } from '../../../shared/config.ts';
import { toSystemError } from '../../../shared/errors.ts';
import { createLogger } from '../../../shared/logger.ts';
import { DirectoryObjectStore } from '../../../shared/storage/directory-object-store.ts';
import type { ObjectStore } from '../../../shared/storage/object-store.ts';
import { AgentKeySigner } from './agent-key-signer.ts';
import { CONFIG_PREFIX, VerifierConfig } from './config.ts';
import { createVerifierServer } from './http-server.ts';
import { PublicationsUnderWay } from './publications-under-way.ts';
import { SigningKeys } from './signing-key.ts';
import { Sweeper } from './sweeper.ts';
import { TrustSigner } from './trust-signer.ts';
import { Verifier } from './verifier.ts';

/** The store to write, and the one to delete from, if this process may: no object of the program holds both credentials. */
interface Stores {
  readonly store: ObjectStore;
  readonly purged: ObjectStore | null;
}

async function openStores(config: VerifierConfig): Promise<Stores> {
  if (config.storeKind === 'directory') {
    const store = new DirectoryObjectStore(config.storeDirectory);
    return { store, purged: store };
  }
  for (const field of ['minioEndpoint', 'minioAccessKey', 'minioSecretKey'] as const) requireField(config, field);
  for (const field of ['minioWriterAccessKey', 'minioWriterSecretKey'] as const) requireField(config, field);
  if (config.minioPurgerAccessKey !== '') requireField(config, 'minioPurgerSecretKey');
  // Imported where it is wanted: it is a third of this process's start.
  const { MinioObjectStore } = await import('../../../shared/storage/minio-object-store.ts');
  const place = { endpoint: config.minioEndpoint, bucket: config.minioBucket, region: config.minioRegion };
  const reader = { accessKey: config.minioAccessKey, secretKey: config.minioSecretKey };
  const writer = { accessKey: config.minioWriterAccessKey, secretKey: config.minioWriterSecretKey };
  const purger = { accessKey: config.minioPurgerAccessKey, secretKey: config.minioPurgerSecretKey };
  return {
    store: new MinioObjectStore({ ...place, reader, writer }),
    purged: purger.accessKey === '' ? null : new MinioObjectStore({ ...place, reader, purger }),
  };
}

function requireField(config: VerifierConfig, field: keyof VerifierConfig): void {
  if (config[field] === '') {
    refuseToStart(`configuration: ${variableName(CONFIG_PREFIX, field)} is needed when storeKind is minio`);
  }
}

/** Listens on the socket; the one of an earlier process is taken away, anything else in its place is not. */
async function listen(server: Server, socketPath: string): Promise<void> {
  const found = await lstat(socketPath).catch(() => null);
  if (found?.isSocket()) await rm(socketPath);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(socketPath, resolve);
  });
  // Its folder says who gets this far; the group of that folder is the coordinator's.
  await chmod(socketPath, 0o660);
}

async function start(): Promise<void> {
  const config = loadConfig(VerifierConfig, CONFIG_PREFIX);
  const logger = createLogger('verifier', { level: config.logLevel });
  const { store, purged } = await openStores(config);
  const keys = await SigningKeys.open(config.stateDirectory);
  const trust = await TrustSigner.open({
    directory: config.stateDirectory,
    keys,
    clock: systemClock,
    lifetimeMs: config.trustLifetimeMs,
    logger,
  });
  const agentKeys = await AgentKeySigner.open({ directory: config.stateDirectory, keys, trust, clock: systemClock });
  const underWay = new PublicationsUnderWay();
  const sweeper = new Sweeper({ store: purged, underWay, clock: systemClock, logger });
  const verifier = new Verifier({
    store,
    keys,
    trust,
    underWay,
    stagingDirectory: config.stagingDirectory,
    bounds: { entriesMax: config.layerEntriesMax, bytesMax: config.layerBytesMax },
    logger,
  });
  const server = createVerifierServer({ verifier, keys, trust, agentKeys, sweeper }, logger);
  await listen(server, config.socketPath);
  logger.info({ socketPath: config.socketPath, keyid: keys.signing.keyid }, 'verifier ready');
  let isStopping = false;
  const stop = () => {
    if (isStopping) return;
    isStopping = true;
    // What is being published is finished: its client waits for the answer.
    server.close(() => logger.info({}, 'verifier stopped'));
    server.closeIdleConnections();
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
}

await start().catch((error: unknown) => refuseToStart(`the verifier can't start: ${toSystemError(error).message}`));
