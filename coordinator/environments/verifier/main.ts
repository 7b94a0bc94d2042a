/**
 * Owns the composition of the verifier's process: configuration, signing key, store adapter, socket, signals.
 * Never decides about a layer (verifier.ts). The sole process with the signing key and the store's write credential.
 */
import { chmod, lstat, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { loadConfig, refuseToStart, variableName } from '../../../shared/config.ts';
import { toSystemError } from '../../../shared/errors.ts';
import { createLogger } from '../../../shared/logger.ts';
import { DirectoryObjectStore } from '../../../shared/storage/directory-object-store.ts';
import type { ObjectStore } from '../../../shared/storage/object-store.ts';
import { CONFIG_PREFIX, VerifierConfig } from './config.ts';
import { createVerifierServer } from './http-server.ts';
import { loadSigningKeys } from './signing-key.ts';
import { Verifier } from './verifier.ts';

async function openStore(config: VerifierConfig): Promise<ObjectStore> {
  if (config.storeKind === 'directory') return new DirectoryObjectStore(config.storeDirectory);
  for (const field of ['minioEndpoint', 'minioAccessKey', 'minioSecretKey'] as const) requireField(config, field);
  for (const field of ['minioWriterAccessKey', 'minioWriterSecretKey'] as const) requireField(config, field);
  // Imported where it is wanted: it is a third of this process's start.
  const { MinioObjectStore } = await import('../../../shared/storage/minio-object-store.ts');
  return new MinioObjectStore({
    endpoint: config.minioEndpoint,
    bucket: config.minioBucket,
    region: config.minioRegion,
    reader: { accessKey: config.minioAccessKey, secretKey: config.minioSecretKey },
    writer: { accessKey: config.minioWriterAccessKey, secretKey: config.minioWriterSecretKey },
  });
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
  const verifier = new Verifier({
    store: await openStore(config),
    keys: await loadSigningKeys(config.stateDirectory),
    stagingDirectory: config.stagingDirectory,
    bounds: { entriesMax: config.layerEntriesMax, bytesMax: config.layerBytesMax },
    logger,
  });
  const server = createVerifierServer(verifier, logger);
  await listen(server, config.socketPath);
  logger.info({ socketPath: config.socketPath, keyid: verifier.trustedKeys[0]?.keyid }, 'verifier ready');
  let isStopping = false;
  const stop = () => {
    if (isStopping) return;
    isStopping = true;
    // What is being published is finished: its client waits for the answer.
    server.close(() => logger.info('verifier stopped'));
    server.closeIdleConnections();
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
}

await start().catch((error: unknown) => refuseToStart(`the verifier can't start: ${toSystemError(error).message}`));
