/**
 * Owns putting together what a coordinator does with files of clients. Never decides anything.
 */
import { join } from 'node:path';
import type { Clock, Random } from '../../shared/clock.ts';
import type { Logger } from '../../shared/logger.ts';
import type { ObjectStore } from '../../shared/storage/object-store.ts';
import type { CoordinatorConfig } from '../config.ts';
import type { ShardLease } from '../executions/shard-store.ts';
import type { StateStore } from '../executions/state-store.ts';
import type { InstanceKey } from '../instance-key.ts';
import { Collections } from './collections.ts';
import { FileService } from './file-service.ts';
import { FileUrls } from './file-urls.ts';
import { RequestFiles } from './request-files.ts';

/** What they work with. */
export interface FileWiringDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly state: Pick<StateStore, 'files'>;
  readonly fileObjects: ObjectStore;
  readonly instanceKey: InstanceKey;
  readonly tenancy: { readonly storage: { check(tenantId: string): Promise<void> } };
}

/** The services of files; nothing runs yet. */
export function createFileServices(
  { clock, random, log, state, fileObjects: objects, instanceKey, tenancy }: FileWiringDeps,
  config: CoordinatorConfig,
  shards: { leaseFor(tenantId: string): ShardLease },
) {
  const spoolDirectory = join(config.stateDirectory, 'incoming');
  const key = instanceKey.derive('files');
  const files = new FileService(
    { clock, random, log, rows: state.files, objects, shards, key, spoolDirectory, storage: tenancy.storage },
    config,
  );
  const urlKey = instanceKey.derive('file-urls');
  const fileUrls = new FileUrls({ clock, objects, key: urlKey }, { ttlSeconds: config.layerUrlTtlSeconds });
  const collections = new Collections(
    {
      clock,
      random,
      log,
      files,
      rows: state.files,
      key: instanceKey.derive('collect'),
      origin: () => fileUrls.origin,
    },
    config,
  );
  const requestFiles = new RequestFiles(
    { clock, rows: state.files, holds: files.holds, urls: fileUrls, shards, collections },
    config,
  );
  return { files, fileUrls, collections, requestFiles };
}
