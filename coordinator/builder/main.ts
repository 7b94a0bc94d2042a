/**
 * The builder's composition root: configuration, adapters, service, signals.
 * Never holds a store credential or a signing key. Exits 78 when the machine or the configuration can't work.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock, systemRandom } from '../../shared/clock.ts';
import { loadConfig, refuseToStart } from '../../shared/config.ts';
import { toSystemError } from '../../shared/errors.ts';
import { readAuthority } from '../../shared/http/authority.ts';
import { LayerCache } from '../../shared/layers/layer-cache.ts';
import { LayerFetcher } from '../../shared/layers/layer-fetcher.ts';
import { ManifestTrust } from '../../shared/layers/manifest-trust.ts';
import { createLogger } from '../../shared/logger.ts';
import { connectLauncher } from '../../shared/sandbox/launcher-client.ts';
import { ArtefactFolder } from './artefact-folder.ts';
import { BuildRunner } from './build-runner.ts';
import { BuildService } from './build-service.ts';
import { BuilderConfig, CONFIG_PREFIX } from './config.ts';
import { createHttpServer } from './http-server.ts';
import { missingRequirements } from './requirements.ts';
import { Staging } from './staging.ts';
import { listenOn } from './unix-socket.ts';
import { sweepVerifyLayers } from './verify-script.ts';

async function start(): Promise<void> {
  // What is staged must be readable by the verifier, which is another user.
  process.umask(0o022);
  const settings = loadConfig(BuilderConfig, CONFIG_PREFIX);
  const missing = missingRequirements();
  if (missing.length > 0) refuseToStart(missing.join('\n'));
  const logger = createLogger('builder', { level: settings.logLevel });
  const [clock, random] = [systemClock, systemRandom];
  const sandbox = await connectLauncher({ socketPath: settings.launcherSocketPath });
  await mkdir(settings.stateDirectory, { recursive: true, mode: 0o700 });
  const fetcher = new LayerFetcher({
    directory: join(settings.stateDirectory, 'incoming'),
    ca: readAuthority(settings.coordinatorCaFile),
  });
  const trust = new ManifestTrust();
  const layers = new LayerCache({
    sandbox,
    trust,
    fetcher,
    directory: join(settings.stateDirectory, 'layers'),
    bytesMax: settings.cacheBytesMax,
    logger,
    clock,
    random,
  });
  const staging = new Staging({ directory: settings.stagingDirectory, ttlMs: settings.stagingTtlMs, clock, logger });
  const artefacts = new ArtefactFolder({ settings, random, logger });
  await Promise.all([staging.start(), layers.start(), artefacts.start(), sweepVerifyLayers(sandbox.store)]);
  const runner = new BuildRunner({ sandbox, layers, trust, staging, artefacts, settings, clock, random, logger });
  const { concurrencyMax, waitingMax } = settings;
  const service = new BuildService({ runner, staging, concurrencyMax, waitingMax, logger });
  const server = createHttpServer(service);
  await listenOn(server, settings.socketPath);
  logger.info({ socketPath: settings.socketPath, ...sandbox.facts }, 'builder ready');

  const stop = async (): Promise<void> => {
    server.close();
    service.drain();
    await layers.stop();
    await fetcher.close();
    await sandbox.close();
    logger.info({}, 'builder stopped');
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop());
}

start().catch((error: unknown) => refuseToStart(`the builder can't start: ${toSystemError(error).message}`));
