/**
 * Owns `envicutor/coordinator`: a coordinator inside somebody else's process, from one object of settings; the composition root of coordinators.
 * Never reads the environment, handles a signal, ends the process, or shares anything with another coordinator of it.
 * Invariants: what can't work is one SystemError that names every problem, and then nothing is left open; after `stop` nothing is left of
 * what was opened here, and what was given is open still.
 */
import { hostname } from 'node:os';
import { join } from 'node:path';
import { systemClock, systemRandom } from '../shared/clock.ts';
import { SystemError } from '../shared/errors.ts';
import { atLeast, silentLogger } from '../shared/logger.ts';
import { DirectoryObjectStore } from '../shared/storage/directory-object-store.ts';
import type { ObjectStore } from '../shared/storage/object-store.ts';
import { AGENTS_PATH } from './agents/agent-gateway.ts';
import type { IssuedToken } from './agents/enrolment.ts';
import type { CoordinatorConfig } from './config.ts';
import { type Coordinator, wireCoordinator } from './coordinator.ts';
import type { CoordinatorDeps } from './coordinator-deps.ts';
import { type CoordinatorOptions, readCoordinatorOptions } from './coordinator-options.ts';
import { createBuilderClient } from './environments/builder-client.ts';
import { createVerifierClient } from './environments/verifier-client.ts';
import { openSqliteStateStore } from './executions/sqlite-state-store.ts';
import type { StateStore } from './executions/state-store.ts';
import { openInstanceKey, readInstanceKey } from './instance-key.ts';
import { stateFiles } from './state-folder.ts';

export type { Clock, Random, Timer } from '../shared/clock.ts';
export { type ErrorCode, type ErrorPlace, SystemError } from '../shared/errors.ts';
export type { Logger, LogLine } from '../shared/logger.ts';
export type { ObjectStore } from '../shared/storage/object-store.ts';
export type { IssuedToken } from './agents/enrolment.ts';
export type { CoordinatorConfig } from './config.ts';
export type { CoordinatorOptions } from './coordinator-options.ts';
export type { Builder } from './environments/builder-client.ts';
export type { Verifier } from './environments/verifier-client.ts';
export type { StateStore } from './executions/state-store.ts';

/** Where a coordinator can be reached. */
export interface CoordinatorAddress {
  /** Of the API. */
  readonly url: string;
  /** The coordinatorUrl of agents on this machine. */
  readonly agentsUrl: string;
}

/** Closes one thing that was opened. */
type Close = () => Promise<unknown>;

/**
 * Makes a coordinator that does not listen yet: checks its settings, opens state and store. SystemError `configuration-invalid` with all
 * problems as `errors`, `requirement-missing` or `state-store-unavailable`.
 */
export async function createCoordinator(options: CoordinatorOptions = {}): Promise<EmbeddedCoordinator> {
  const { config, egress, keys, recipes } = readCoordinatorOptions(options);
  const { clock = systemClock, random = systemRandom, logger = silentLogger } = options;
  const log = atLeast(config.logLevel, logger);
  const opened: Close[] = [];
  try {
    const adapters = await openAdapters(options, config, opened);
    const tracing = await openTracer({ clock, random, log }, config, opened);
    const coordinator = wireCoordinator({ clock, random, log, egress, keys, recipes, ...tracing, ...adapters }, config);
    return new EmbeddedCoordinator(coordinator, config, opened);
  } catch (error) {
    await closeAll(opened).catch(() => undefined);
    throw error;
  }
}

/** Loaded where it is wanted. */
async function openTracer(
  needs: Pick<CoordinatorDeps, 'clock' | 'random' | 'log'>,
  { tracesUrl: url, tracesPercent: percent }: CoordinatorConfig,
  opened: Close[],
): Promise<Pick<CoordinatorDeps, 'tracer'>> {
  if (url === '') return {};
  const { OtlpTracer } = await import('../shared/tracing/otlp-tracer.ts');
  const tracer = new OtlpTracer(needs, { url, service: 'envicutor-coordinator', instance: hostname(), percent });
  opened.push(() => tracer.close());
  return { tracer };
}

type Adapters = Pick<CoordinatorDeps, 'instanceKey' | 'state' | 'store' | 'fileObjects' | 'builder' | 'verifier'>;

/** What was given, and what is missing opened; how to close the latter is noted one by one. */
async function openAdapters(
  options: CoordinatorOptions,
  config: CoordinatorConfig,
  opened: Close[],
): Promise<Adapters> {
  const owned = <Adapter extends { close(): Promise<unknown> }>(adapter: Adapter): Adapter => {
    opened.push(() => adapter.close());
    return adapter;
  };
  // First of all: it says what is wrong with the state directory.
  const instanceKey =
    config.instanceKeyFile === ''
      ? openInstanceKey(config.stateDirectory, options.random ?? systemRandom)
      : readInstanceKey(config.instanceKeyFile);
  const state = options.state ?? owned(await openState(config));
  const store = options.store ?? (await openStore(config, opened));
  const fileObjects = options.fileObjects ?? (await openFileObjects(config, opened));
  const builder = options.builder ?? owned(createBuilderClient(config.builderSocketPath));
  const verifier = options.verifier ?? owned(createVerifierClient(config.verifierSocketPath));
  return { instanceKey, state, store, fileObjects, builder, verifier };
}

/** The shared database, or one of our own. */
async function openState(config: CoordinatorConfig): Promise<StateStore> {
  if (config.databaseUrl === '') return openSqliteStateStore(join(config.stateDirectory, stateFiles.database));
  // Imported where it is wanted, as the store below.
  const { openPostgresStateStore } = await import('./executions/postgres-state-store.ts');
  return await openPostgresStateStore({ url: config.databaseUrl });
}

async function openStore(config: CoordinatorConfig, opened: Close[]): Promise<ObjectStore> {
  if (config.storeKind === 'directory') return new DirectoryObjectStore(config.storeDirectory);
  // Imported where it is wanted: it is a quarter of this process's start.
  const { MinioObjectStore } = await import('../shared/storage/minio-object-store.ts');
  const store = new MinioObjectStore({
    endpoint: config.minioEndpoint,
    ...(config.minioPublicEndpoint === '' ? {} : { publicEndpoint: config.minioPublicEndpoint }),
    bucket: config.minioBucket,
    region: config.minioRegion,
    reader: { accessKey: config.minioAccessKey, secretKey: config.minioSecretKey },
  });
  opened.push(() => store.close());
  return store;
}

/** Where clients' files are: never where layers are, which only the verifier writes. */
async function openFileObjects(config: CoordinatorConfig, opened: Close[]): Promise<ObjectStore> {
  const { minioFilesBucket: bucket, minioEndpoint: endpoint, minioPublicEndpoint, minioRegion: region } = config;
  if (bucket === '')
    return new DirectoryObjectStore(config.filesDirectory || join(config.stateDirectory, stateFiles.clientFiles));
  const { MinioObjectStore } = await import('../shared/storage/minio-object-store.ts');
  const store = new MinioObjectStore({
    ...{ endpoint, bucket, region },
    ...(minioPublicEndpoint === '' ? {} : { publicEndpoint: minioPublicEndpoint }),
    reader: { accessKey: config.minioFilesReaderAccessKey, secretKey: config.minioFilesReaderSecretKey },
    writer: { accessKey: config.minioFilesWriterAccessKey, secretKey: config.minioFilesWriterSecretKey },
    purger: { accessKey: config.minioFilesPurgerAccessKey, secretKey: config.minioFilesPurgerSecretKey },
  });
  opened.push(() => store.close());
  return store;
}

/** All at once; rejects with the first failure when every one is over. */
async function closeAll(opened: Close[]): Promise<void> {
  const closed = await Promise.allSettled(opened.splice(0).map((close) => close()));
  for (const outcome of closed) if (outcome.status === 'rejected') throw outcome.reason;
}

/** What a start failed by, as a SystemError where it is the address; anything else as it is. */
function toStartError(cause: unknown, { listenHost, listenPort }: CoordinatorConfig): unknown {
  const { code } = cause as NodeJS.ErrnoException;
  const where = `${listenHost}:${listenPort}`;
  if (code === 'EADDRINUSE') {
    const sentence = `${where} is taken: stop what listens there, or set listenPort (ENVICUTOR_LISTEN_PORT)`;
    return new SystemError('requirement-missing', sentence, { cause });
  }
  if (code === 'EACCES' || code === 'EADDRNOTAVAIL') {
    const sentence = `can't listen on ${where} (${code}): set listenHost and listenPort (ENVICUTOR_LISTEN_HOST and ENVICUTOR_LISTEN_PORT)`;
    return new SystemError('requirement-missing', sentence, { cause });
  }
  return cause;
}

/** A coordinator in this process; made by `createCoordinator`. All methods are idempotent. */
export class EmbeddedCoordinator implements AsyncDisposable {
  readonly #coordinator: Coordinator;
  readonly #config: CoordinatorConfig;
  readonly #opened: Close[];
  #starting: Promise<CoordinatorAddress> | null = null;
  #stopping: Promise<void> | null = null;
  #release: Promise<void> | null = null;

  constructor(coordinator: Coordinator, config: CoordinatorConfig, opened: Close[]) {
    this.#coordinator = coordinator;
    this.#config = config;
    this.#opened = opened;
  }

  /**
   * Listens and takes up what an earlier one left on the same state. SystemError `requirement-missing` when it can't listen, `conflict` after
   * `stop`; a coordinator whose start failed is stopped.
   */
  start(): Promise<CoordinatorAddress> {
    this.#starting ??= this.#start();
    return this.#starting;
  }

  async #start(): Promise<CoordinatorAddress> {
    if (this.#stopping !== null) throw new SystemError('conflict', 'this coordinator was stopped; create another one');
    try {
      const { url } = await this.#coordinator.start();
      return { url, agentsUrl: `${url.replace('http', 'ws')}${AGENTS_PATH}` };
    } catch (error) {
      await this.#close();
      throw toStartError(error, this.#config);
    }
  }

  /** A fresh one-time token that lets one agent in. */
  issueEnrolmentToken(): Promise<IssuedToken> {
    return this.#coordinator.enrolment.issue();
  }

  /** Accepts nothing more, lets running executions end for at most drainMsMax, and closes everything that was opened; resolves when nothing of it is left. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(): Promise<void> {
    await this.#starting?.catch(() => undefined);
    await this.#close();
  }

  #close(): Promise<void> {
    this.#release ??= this.#coordinator.stop().finally(() => closeAll(this.#opened));
    return this.#release;
  }
}
