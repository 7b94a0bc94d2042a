/**
 * Owns whose build runs next on this builder: at most so many at the same time, and tenants by their shares of its time, so that nobody's
 * hundred environments are another's wait. A build is charged to the tenant that caused it, with what it really took.
 * Never knows what a build does. Invariant: a turn that was given is given back exactly once.
 */
import { type Clock, systemClock } from '../../shared/clock.ts';
import type { BuildOrder } from '../../shared/model/build.ts';
import { CostEstimates } from '../scheduler/cost-estimates.ts';
import { FairQueue, type Queued } from '../scheduler/fair-queue.ts';

interface Waiting extends Queued {
  readonly begin: () => void;
}

/** Who wants a turn. */
export type Applicant = Pick<BuildOrder, 'buildId' | 'tenantId' | 'weight' | 'kind' | 'limits'>;

/** The turns of one builder. */
export class BuildTurns {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #turnsMax: number;
  readonly #queue = new FairQueue<Waiting>();
  readonly #estimates = new CostEstimates();
  #running = 0;

  constructor(turnsMax: number, clock: Pick<Clock, 'monotonicMs'> = systemClock) {
    this.#turnsMax = turnsMax;
    this.#clock = clock;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  /** Resolves when it is this build's turn, with what ends it; rejects with the signal's reason while it waits. */
  async take({ buildId, tenantId, weight, kind, limits }: Applicant, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const cost = this.#estimates.estimate(tenantId, kind, limits.wallTimeMs);
    const waiting: Waiting = { id: buildId, tenantId, weight, lane: 'build', cost, begin: resolve };
    const cancel = () => {
      if (this.#queue.remove(waiting)) reject(signal.reason);
    };
    signal.addEventListener('abort', cancel);
    this.#queue.push(waiting);
    this.#giveTurns();
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', cancel);
    }
    const startMs = this.#clock.monotonicMs();
    return () => {
      const durationMs = this.#clock.monotonicMs() - startMs;
      this.#estimates.learn(tenantId, kind, durationMs);
      this.#queue.charge(waiting, durationMs - cost);
      this.#queue.ended(waiting);
      this.#running -= 1;
      this.#giveTurns();
    };
  }

  #giveTurns(): void {
    this.#queue.serve(
      () => {
        if (this.#running >= this.#turnsMax) return null;
        this.#running += 1;
        return true;
      },
      ({ begin }) => begin(),
      1,
    );
  }
}
