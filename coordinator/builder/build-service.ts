/**
 * Owns which builds run now, which wait and which are cancelled: at most `concurrencyMax` at the same time, by the shares of their tenants.
 * Never knows HTTP. Single flight by content is the coordinator's; here one build id is built once at a time.
 * Invariant: every accepted build ends in exactly one `finished` or `broken` event, unless it was cancelled.
 */
import { SystemError, toSystemError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import type { BuildEvent, BuildOrder } from '../../shared/model/build.ts';
import type { BuildRunner } from './build-runner.ts';
import { BuildTurns } from './build-turns.ts';
import type { Staging } from './staging.ts';

/** Settings and neighbours of a service. */
export interface BuildServiceOptions {
  readonly runner: Pick<BuildRunner, 'run'>;
  readonly staging: Pick<Staging, 'remove'>;
  readonly concurrencyMax: number;
  readonly waitingMax: number;
  readonly logger: Logger;
}

/** Builds of one builder. */
export class BuildService {
  readonly #options: BuildServiceOptions;
  readonly #builds = new Map<string, AbortController>();
  readonly #turns: BuildTurns;
  #isDraining = false;

  constructor(options: BuildServiceOptions) {
    this.#options = options;
    this.#turns = new BuildTurns(options.concurrencyMax);
  }

  get gauges(): { running: number; waiting: number } {
    return { running: this.#turns.running, waiting: this.#turns.waiting };
  }

  /** Refuses what can't be accepted now: SystemError `conflict`, `draining` or `queue-full`. */
  assertAcceptable(order: BuildOrder): void {
    if (this.#isDraining) throw new SystemError('draining', 'the builder is shutting down');
    if (this.#builds.has(order.buildId)) throw new SystemError('conflict', `build ${order.buildId} is under way`);
    const { concurrencyMax, waitingMax } = this.#options;
    const { running, waiting } = this.#turns;
    if (running >= concurrencyMax && waiting >= waitingMax) {
      throw new SystemError('queue-full', `${waiting} builds wait already; try again later`);
    }
  }

  /** Carries one build out; resolves when its last event was emitted or it was cancelled. */
  async build(order: BuildOrder, emit: (event: BuildEvent) => void): Promise<void> {
    this.assertAcceptable(order);
    const { logger, runner } = this.#options;
    const { buildId, kind, base, executionId } = order;
    const controller = new AbortController();
    this.#builds.set(buildId, controller);
    try {
      const giveBack = await this.#turns.take(order, controller.signal);
      try {
        logger.info({ buildId, executionId, kind, base }, 'build started');
        const finished = await runner.run(order, emit, controller.signal);
        const { report, layer } = finished;
        const ending = { verdict: report.verdict, endedIn: finished.endedIn, tar: layer?.tar };
        logger.info({ buildId, executionId, ...ending }, 'build finished');
        emit(finished);
      } finally {
        giveBack();
      }
    } catch (error) {
      if (controller.signal.aborted) {
        logger.info({ buildId, executionId }, 'build cancelled');
      } else {
        const { code, message } = toBuildError(error);
        logger.warn({ buildId, executionId, code, error: message }, 'build broken');
        emit({ type: 'broken', code, detail: message });
      }
    } finally {
      this.#builds.delete(buildId);
    }
  }

  /** Ends a build that runs or waits; idempotent. */
  cancel(buildId: string): void {
    this.#builds.get(buildId)?.abort();
  }

  /** Removes what a build staged. */
  async remove(buildId: string): Promise<void> {
    if (this.#builds.has(buildId)) throw new SystemError('conflict', `build ${buildId} is under way`);
    await this.#options.staging.remove(buildId);
  }

  /** Accepts nothing more and cancels what runs. */
  drain(): void {
    this.#isDraining = true;
    for (const controller of this.#builds.values()) controller.abort();
  }
}

function toBuildError(error: unknown): SystemError {
  if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') {
    return new SystemError('build-failed', "the builder's staging folder has no room left; free some space", {
      cause: error,
    });
  }
  return toSystemError(error);
}
