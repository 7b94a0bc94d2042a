/**
 * Owns deleting an execution because its tenant says so: its record, its output, what it left, and the key that it was asked for with. Never leaves a part of
 * that for later but bytes of files that another execution still reads.
 */
import { atMost, type Clock } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import type { ExecutionId } from '../../shared/ids.ts';
import type { Logger } from '../../shared/logger.ts';
import type { Execution } from '../../shared/model/execution.ts';
import type { ExecutionService } from '../executions/execution-service.ts';
import type { FileStore } from '../executions/file-store.ts';
import type { LiveExecution } from '../executions/live-execution.ts';
import type { ShardLease } from '../executions/shard-store.ts';
import type { ExecutionStore } from '../executions/state-store.ts';
import type { FileService } from '../files/file-service.ts';

/** What deleting talks to. */
export interface DeletionDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly executions: Pick<ExecutionService, 'cancel' | 'forget' | 'views'>;
  readonly store: Pick<ExecutionStore, 'remove'>;
  readonly rows: Pick<FileStore, 'ofExecution'>;
  readonly files: Pick<FileService, 'remove'>;
  readonly shards: { leaseFor(tenantId: string): ShardLease };
}

/** As long as a store may be away for a moment. */
const RECORDED_MS_MAX = 30_000;

/** See the head of this file. */
export class Deletion {
  readonly #deps: DeletionDeps;

  constructor(deps: DeletionDeps) {
    this.#deps = deps;
  }

  /** Cancels an execution that is not over, and removes all that is kept of it. SystemError `execution-not-found`, `shard-moved`. */
  async delete(tenantId: string, id: string): Promise<void> {
    const { executions, store, rows, files, shards, log } = this.#deps;
    const live = executions.views.find(tenantId, id);
    const answer = await executions.cancel(tenantId, id);
    if (live !== null) await this.#recorded(live);
    const execution = { tenantId, id: answer.id as ExecutionId };
    await store.remove(execution, shards.leaseFor(tenantId));
    executions.forget(execution);
    await files.remove(tenantId, await rows.ofExecution(tenantId, execution.id));
    log.info({ tenantId, executionId: id }, 'execution deleted');
  }

  /** What is not recorded yet would be recorded after its removal. */
  async #recorded({ done }: LiveExecution): Promise<void> {
    let answer: Execution | null | undefined;
    const noted = done.then((given) => {
      answer = given;
    });
    await atMost(this.#deps.clock, RECORDED_MS_MAX, noted);
    if (answer === undefined)
      throw new SystemError('state-store-unavailable', 'its end could not be recorded yet; ask again');
    if (answer !== null) return;
    throw new SystemError('shard-moved', 'another coordinator goes on with it; ask again', { retryAfterSeconds: 2 });
  }
}
