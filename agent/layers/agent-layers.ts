/**
 * Owns putting together what an agent knows of layers: what it trusts, with its memory, and its cache with the way to fill it.
 * Never decides anything. Invariant: after `stop`, with nobody using layers any more, no download, write, check or timer of them is left.
 */
import { join } from 'node:path';
import type { Clock, Random } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import { readAuthority } from '../../shared/http/authority.ts';
import { createImageIntegrity } from '../../shared/layers/image/layer-imager.ts';
import { LayerCache } from '../../shared/layers/layer-cache.ts';
import { LayerFetcher } from '../../shared/layers/layer-fetcher.ts';
import { ManifestTrust } from '../../shared/layers/manifest-trust.ts';
import { TrustMemory } from '../../shared/layers/trust-memory.ts';
import type { Logger } from '../../shared/logger.ts';
import type { Sandbox } from '../../shared/sandbox/sandbox.ts';
import type { AgentConfig } from '../config.ts';

/** What they work with. */
export interface AgentLayersNeeds {
  readonly sandbox: Sandbox;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

type AgentLayersConfig = Pick<
  AgentConfig,
  | 'stateDirectory'
  | 'coordinatorCaFile'
  | 'trustTtlMs'
  | 'trustedKeyIds'
  | 'layerBytesMax'
  | 'layerTenantPercentMax'
  | 'scrubIntervalMs'
>;

/** Layers and trust of one agent. */
export interface OpenAgentLayers {
  readonly cache: LayerCache;
  readonly trust: ManifestTrust;
  /** Breaks off downloads: whoever waits for them hears that they failed. Idempotent. */
  breakOff(): Promise<void>;
  /** Resolves when what was begun with the launcher and the disk is over, downloads broken off. Idempotent. */
  stop(): Promise<void>;
}

/** Takes over what an earlier agent left in the state directory; SystemError when that can't be used. */
export async function openAgentLayers(
  { sandbox, clock, random, logger }: AgentLayersNeeds,
  config: AgentLayersConfig,
): Promise<OpenAgentLayers> {
  const { stateDirectory, layerBytesMax: bytesMax, layerTenantPercentMax: tenantPercentMax } = config;
  const memory = new TrustMemory(stateDirectory, logger);
  const remember = memory.keep.bind(memory);
  const trust = new ManifestTrust([], { clock, ttlMs: config.trustTtlMs, keyIds: config.trustedKeyIds, remember });
  const remembered = await memory.read().catch((cause: unknown) => {
    if (cause instanceof SystemError) throw cause;
    throw new SystemError('requirement-missing', `the remembered trust state can't be read: ${String(cause)}`, {
      cause,
    });
  });
  if (remembered !== null) trust.restore(remembered);
  const fetcher = new LayerFetcher({
    directory: join(stateDirectory, 'incoming'),
    ca: readAuthority(config.coordinatorCaFile),
  });
  const scrub = { integrity: createImageIntegrity(sandbox), intervalMs: config.scrubIntervalMs };
  const cache = new LayerCache({
    ...{ sandbox, trust, fetcher, directory: join(stateDirectory, 'layers'), bytesMax, tenantPercentMax, logger },
    ...{ clock, random },
    ...(scrub.intervalMs === 0 ? {} : { scrub }),
  });
  const breakOff = () => fetcher.close();
  const stop = async () => {
    await breakOff();
    await Promise.all([cache.stop(), memory.settled()]);
  };
  try {
    await cache.start();
  } catch (error) {
    await stop().catch(() => undefined);
    throw error;
  }
  return { cache, trust, breakOff, stop };
}
