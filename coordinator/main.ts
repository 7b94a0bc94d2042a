#!/usr/bin/env node
/**
 * Owns the coordinator's process: configuration from the environment, a coordinator, until a signal ends it. Never decides anything.
 * SIGTERM and SIGINT drain and end with 0; what can't work ends with 78 and its sentences.
 */
import { loadConfig, refuseToStart } from '../shared/config.ts';
import { SystemError } from '../shared/errors.ts';
import { createLogger } from '../shared/logger.ts';
import { CONFIG_PREFIX, CoordinatorConfig } from './config.ts';
import { createCoordinator, type EmbeddedCoordinator } from './embedded-coordinator.ts';

/** Prints what a start failed by; anything but a SystemError is a defect and is thrown on. */
function refuse(error: unknown): never {
  if (!(error instanceof SystemError)) throw error;
  if (error.errors.length === 0) refuseToStart(error.message);
  refuseToStart(error.errors.map(({ detail }) => `configuration: ${detail}`).join('\n'));
}

function endOnSignals(coordinator: EmbeddedCoordinator): void {
  const stop = async (signal: string) => {
    logger.info({ signal }, 'coordinator stopping');
    await coordinator.stop();
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      stop(signal).catch((error: unknown) => {
        logger.error({ err: error }, 'stopping failed');
        process.exit(1);
      });
    });
  }
}

// Requests are in the database; only files made for others are opened to them, one by one.
process.umask(0o077);
const config = loadConfig(CoordinatorConfig, CONFIG_PREFIX);
const logger = createLogger('coordinator', { level: config.logLevel });
const coordinator = await createCoordinator({ ...config, logger }).catch(refuse);
endOnSignals(coordinator);
await coordinator.start().catch(refuse);
