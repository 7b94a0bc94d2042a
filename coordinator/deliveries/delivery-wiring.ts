/**
 * Owns putting together what becomes of results once they are there. Never decides anything.
 */
import type { Clock } from '../../shared/clock.ts';
import type { Logger } from '../../shared/logger.ts';
import type { ObjectStore } from '../../shared/storage/object-store.ts';
import type { CoordinatorConfig } from '../config.ts';
import type { ExecutionService } from '../executions/execution-service.ts';
import type { ShardLease } from '../executions/shard-store.ts';
import type { StateStore } from '../executions/state-store.ts';
import type { FileService } from '../files/file-service.ts';
import { Deletion } from './deletion.ts';
import { Retention } from './retention.ts';

/** What they work with. */
export interface DeliveryWiringDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly state: Pick<StateStore, 'executions' | 'files'>;
  readonly fileObjects: ObjectStore;
}

/** Services that are there before. */
export interface DeliveryNeighbours {
  readonly executions: ExecutionService;
  readonly files: FileService;
  readonly shards: { leaseFor(tenantId: string): ShardLease };
}

/** The services of deliveries; nothing runs yet. */
export function createDeliveries(
  { clock, log, state, fileObjects: objects }: DeliveryWiringDeps,
  config: CoordinatorConfig,
  { executions, files, shards }: DeliveryNeighbours,
) {
  const known = { clock, log, rows: state.files, files, shards };
  const deletion = new Deletion({ ...known, executions, store: state.executions });
  const retention = new Retention(
    { ...known, objects, executions: state.executions, forget: (what) => executions.forget(what) },
    config,
  );
  return { deletion, retention };
}
