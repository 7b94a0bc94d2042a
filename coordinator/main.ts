/**
 * Owns the composition root of the coordinator's process: configuration, adapters, coordinator, signals. The only file here that knows
 * concrete adapters. Never decides anything. SIGTERM and SIGINT drain and end with 0; what can't work ends with 78 and one sentence.
 */
import { join } from 'node:path';
import { systemClock, systemRandom } from '../shared/clock.ts';
import { loadConfig, refuseToStart } from '../shared/config.ts';
import { SystemError } from '../shared/errors.ts';
import { createLogger, type Logger } from '../shared/logger.ts';
import type { EgressRules } from '../shared/model/egress.ts';
import { DirectoryObjectStore } from '../shared/storage/directory-object-store.ts';
import type { ObjectStore } from '../shared/storage/object-store.ts';
import { CONFIG_PREFIX, CoordinatorConfig, findConfigProblems } from './config.ts';
import { createCoordinator } from './coordinator.ts';
import { readEgressPolicy } from './egress/policy-file.ts';
import { createBuilderClient } from './environments/builder-client.ts';
import { createVerifierClient } from './environments/verifier-client.ts';
import { openSqliteStateStore } from './executions/sqlite-state-store.ts';
import type { StateStore } from './executions/state-store.ts';
import { openInstanceKey, readInstanceKey } from './instance-key.ts';
import { readTenants } from './tenants/keys.ts';

async function openStore(config: CoordinatorConfig): Promise<ObjectStore> {
  if (config.storeKind === 'directory') return new DirectoryObjectStore(config.storeDirectory);
  // Imported where it is wanted: it is a quarter of this process's start.
  const { MinioObjectStore } = await import('../shared/storage/minio-object-store.ts');
  return new MinioObjectStore({
    endpoint: config.minioEndpoint,
    ...(config.minioPublicEndpoint === '' ? {} : { publicEndpoint: config.minioPublicEndpoint }),
    bucket: config.minioBucket,
    region: config.minioRegion,
    reader: { accessKey: config.minioAccessKey, secretKey: config.minioSecretKey },
  });
}

/** The shared database, or one of our own. */
async function openState(config: CoordinatorConfig): Promise<StateStore> {
  if (config.databaseUrl === '') return openSqliteStateStore(join(config.stateDirectory, 'coordinator.sqlite'));
  // Imported where it is wanted, as the store above.
  const { openPostgresStateStore } = await import('./executions/postgres-state-store.ts');
  return await openPostgresStateStore({ url: config.databaseUrl });
}

/** The sentence for what a start can fail by; anything else is a defect and is thrown on. */
function toRefusal(error: unknown, config: CoordinatorConfig): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const where = `${config.listenHost}:${config.listenPort}`;
  if (code === 'EADDRINUSE') return `${where} is taken: stop what listens there, or set ENVICUTOR_LISTEN_PORT`;
  if (code === 'EACCES' || code === 'EADDRNOTAVAIL') {
    return `can't listen on ${where} (${code}): set ENVICUTOR_LISTEN_HOST and ENVICUTOR_LISTEN_PORT`;
  }
  if (error instanceof SystemError) return message;
  throw error;
}

async function run(config: CoordinatorConfig, egress: EgressRules, log: Logger): Promise<void> {
  // First of all: it says what is wrong with the state directory.
  const instanceKey =
    config.instanceKeyFile === ''
      ? openInstanceKey(config.stateDirectory, systemRandom)
      : readInstanceKey(config.instanceKeyFile);
  const state = await openState(config);
  const builder = createBuilderClient(config.builderSocketPath);
  const verifier = createVerifierClient(config.verifierSocketPath);
  const coordinator = createCoordinator(
    {
      clock: systemClock,
      random: systemRandom,
      log,
      state,
      store: await openStore(config),
      builder,
      verifier,
      instanceKey,
      egress,
      keys: config.tenantsFile === '' ? null : readTenants(config.tenantsFile),
    },
    config,
  );
  const stop = async (signal: string) => {
    log.info({ signal }, 'coordinator stopping');
    await coordinator.stop();
    await Promise.allSettled([builder.close(), verifier.close()]);
    await state.close();
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      stop(signal).catch((error: unknown) => {
        log.error({ err: error }, 'stopping failed');
        process.exit(1);
      });
    });
  }
  await coordinator.start();
}

// Requests are in the database; only files made for others are opened to them, one by one.
process.umask(0o077);
const config = loadConfig(CoordinatorConfig, CONFIG_PREFIX);
const policy = readEgressPolicy(config.egressPolicyFile);
const problems = [...findConfigProblems(config), ...('problems' in policy ? policy.problems : [])];
if ('problems' in policy || problems.length > 0)
  refuseToStart(problems.map((problem) => `configuration: ${problem}`).join('\n'));
await run(config, policy.rules, createLogger('coordinator', { level: config.logLevel })).catch((error: unknown) =>
  refuseToStart(toRefusal(error, config)),
);
