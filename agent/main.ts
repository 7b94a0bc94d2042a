/**
 * Composition root of the agent: configuration, preflight, layers, identity, then the agent itself, until a signal ends it.
 * Never decides anything; the only file here that knows concrete adapters.
 */

import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { flushCompileCache } from 'node:module';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { stayAlive, systemClock, systemRandom } from '../shared/clock.ts';
import { loadConfig, refuseToStart } from '../shared/config.ts';
import { toSystemError } from '../shared/errors.ts';
import { createImageIntegrity } from '../shared/layers/image/layer-imager.ts';
import { LayerCache } from '../shared/layers/layer-cache.ts';
import { LayerFetcher } from '../shared/layers/layer-fetcher.ts';
import { machineArchitecture } from '../shared/layers/layer-manifest.ts';
import { ManifestTrust } from '../shared/layers/manifest-trust.ts';
import { TrustMemory } from '../shared/layers/trust-memory.ts';
import { createLogger } from '../shared/logger.ts';
import { connectLauncher } from '../shared/sandbox/launcher-client.ts';
import type { SandboxFacts } from '../shared/sandbox/sandbox.ts';
import { createAgent } from './agent.ts';
import { AgentConfig, CONFIG_PREFIX } from './config.ts';
import { Identity } from './connection/identity.ts';
import type { AgentFacts } from './connection/session.ts';
import { preflight } from './preflight.ts';

const config = loadConfig(AgentConfig, CONFIG_PREFIX);
const logger = createLogger('agent', { level: config.logLevel });
stayAlive();

const outcome = await preflight({
  ...config,
  connect: () => connectLauncher({ socketPath: config.launcherSocketPath }),
  clock: systemClock,
});
if (!('sandbox' in outcome)) refuseToStart(outcome.problems.map((problem) => `agent: ${problem}`).join('\n'));
const { sandbox, slotCpus } = outcome;

const memory = new TrustMemory(config.stateDirectory, logger);
const trust = new ManifestTrust([], {
  clock: systemClock,
  ttlMs: config.trustTtlMs,
  keyIds: config.trustedKeyIds,
  remember: (envelope) => memory.keep(envelope),
});
const remembered = await memory
  .read()
  .catch((error: unknown) => refuseToStart(`agent: ${toSystemError(error).message}`));
if (remembered !== null) trust.restore(remembered);
const fetcher = new LayerFetcher({ directory: join(config.stateDirectory, 'incoming') });
const directory = join(config.stateDirectory, 'layers');
const { layerBytesMax: bytesMax, layerTenantPercentMax: tenantPercentMax } = config;
const scrub = { integrity: createImageIntegrity(sandbox), intervalMs: config.scrubIntervalMs };
const layers = new LayerCache({
  ...{ sandbox, trust, fetcher, directory, bytesMax, tenantPercentMax, logger },
  ...(scrub.intervalMs === 0 ? {} : { scrub }),
});
await layers.start();

const agent = createAgent(
  {
    ...{ sandbox, layers, trust, logger, clock: systemClock, random: systemRandom, token: readToken },
    identity: await Identity.open(config.stateDirectory),
  },
  {
    ...config,
    ...{ slots: slotCpus.length, slotCpus, facts: toFacts(sandbox.facts) },
    offer: { memoryBytes: toOfferedMemory(sandbox.facts), diskBytes: await findRoomForLayers() },
  },
);
agent.start();
// With NODE_COMPILE_CACHE the next start needs neither the compiler's time nor its memory, even if this process is killed.
flushCompileCache();

let isEnding = false;
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void end(signal));

async function end(signal: string): Promise<void> {
  if (isEnding) process.exit(1);
  isEnding = true;
  logger.info({ signal }, 'agent draining');
  const timeout = Promise.withResolvers<void>();
  const timer = systemClock.after(config.drainTimeoutMs, timeout.resolve);
  await Promise.race([agent.drain(), timeout.promise]);
  timer.cancel();
  agent.stop();
  await Promise.all([layers.stop(), memory.settled()]);
  await fetcher.close();
  await sandbox.close();
  logger.info('agent stopped');
  process.exit(0);
}

function toFacts(facts: SandboxFacts): AgentFacts {
  const labels = Object.fromEntries(config.labels.map((label) => label.split(/=(.*)/s, 2)));
  const { release, kernel, cores, memoryBytes } = facts;
  const name = config.name === '' ? hostname() : config.name;
  const exclusiveCores = slotCpus.every((cpus) => cpus !== null);
  const architecture = machineArchitecture;
  return { name, release, architecture, kernel, cores, memoryBytes, pool: config.pool, labels, exclusiveCores };
}

/** What layers could weigh at most: those that are here and the room beside them. What is in use may be heavier than layerBytesMax. */
async function findRoomForLayers(): Promise<number> {
  const { bavail, bsize } = await statfs(config.stateDirectory);
  return layers.gauges().bytes + bavail * bsize;
}

/** A tenth is left to the machine, this process, the launcher and the page cache. */
function toOfferedMemory({ memoryBytes }: SandboxFacts): number {
  return config.memoryBytes > 0 ? config.memoryBytes : Math.floor(memoryBytes * 0.9);
}

/** The enrolment token of this moment; the coordinator may have written another one since the start. */
function readToken(): string | null {
  if (config.enrolmentTokenFile === '') return null;
  try {
    return readFileSync(config.enrolmentTokenFile, 'utf8').trim();
  } catch (error) {
    logger.warn({ detail: String(error) }, 'enrolment token not read');
    return null;
  }
}
