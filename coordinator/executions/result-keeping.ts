/**
 * Owns getting a result into the store, with the webhook that it promises, however long the store is away: nobody hears of a result that a crash could
 * take back.
 * Never announces. Invariant: a promise of it settles when the result is kept, when it is somebody else's to keep, or when this process stops.
 */
import { type Clock, passed, type Random } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { toPromised } from '../deliveries/promised.ts';
import type { LiveExecution } from './live-execution.ts';
import type { ShardLease } from './shard-store.ts';
import type { ExecutionStore } from './state-store.ts';

/** What keeping needs. */
export interface ResultKeepingDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly store: Pick<ExecutionStore, 'finish'>;
  readonly shards: { leaseFor(tenantId: string): ShardLease };
}

const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 2000;

/** See the head of this file. */
export class ResultKeeping {
  readonly #deps: ResultKeepingDeps;
  #isStopped = false;

  constructor(deps: ResultKeepingDeps) {
    this.#deps = deps;
  }

  /** True once it is kept; false: it is not ours to keep any more. Rejects with what can't be helped by trying again. */
  async keep(execution: LiveExecution, answer: Execution): Promise<boolean> {
    const { clock, random, log, store, shards } = this.#deps;
    const delivery = toPromised(execution.terms.request, clock, random);
    for (let delayMs = RETRY_MS_MIN; ; delayMs = Math.min(2 * delayMs, RETRY_MS_MAX)) {
      if (this.#isStopped || execution.isAbandoned) return false;
      try {
        await store.finish(answer, shards.leaseFor(execution.terms.tenantId), delivery);
        return true;
      } catch (error) {
        if (!(error instanceof SystemError && error.isRetryable)) throw error;
        if (delayMs === RETRY_MS_MIN) {
          const { code, message: reason } = error;
          log.error({ executionId: execution.id, code, reason }, 'result not recorded yet');
        }
        await passed(clock, delayMs);
      }
    }
  }

  /** What is not kept by now is taken up by whoever comes next. */
  stop(): void {
    this.#isStopped = true;
  }
}
