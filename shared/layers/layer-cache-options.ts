/**
 * Owns what a layer cache is given and what it tells of itself. Never anything that runs.
 */
import type { Clock, Random } from '../clock.ts';
import type { Logger } from '../logger.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import type { LayerFetcher } from './layer-fetcher.ts';
import type { IndexFile } from './layer-index.ts';
import type { LayerInstaller } from './layer-installer.ts';
import type { LayerScrubOptions } from './layer-scrub.ts';
import type { ManifestTrust } from './manifest-trust.ts';

/** Settings and neighbours of a cache. */
export interface LayerCacheOptions {
  readonly sandbox: Pick<Sandbox, 'launch' | 'store'>;
  readonly trust: Pick<ManifestTrust, 'open' | 'checkFresh'>;
  readonly fetcher: Pick<LayerFetcher, 'fetch'>;
  /** Folder of the index file, made when missing; or the file. */
  readonly directory: string | IndexFile;
  /** Makes layers of blobs; absent: in the sandbox. */
  readonly installer?: Pick<LayerInstaller, 'install'>;
  /** Weight of all layers together, in bytes of their tars. */
  readonly bytesMax: number;
  /** What one tenant's own layers may weigh when room is needed, in hundredths of bytesMax; 100 by default. */
  readonly tenantPercentMax?: number;
  /** Checks layers again while they lie here, one at each interval; without it nothing is checked. */
  readonly scrub?: Pick<LayerScrubOptions, 'integrity' | 'intervalMs'>;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** Counters and gauges of a cache, for metrics. */
export interface LayerCacheGauges {
  readonly layers: number;
  readonly bytes: number;
  readonly inUse: number;
  readonly pinned: number;
  readonly hits: number;
  readonly misses: number;
  readonly evictions: number;
  readonly fetchedBytes: number;
}
