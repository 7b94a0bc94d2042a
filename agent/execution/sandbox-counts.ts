/**
 * Owns what the launcher counts, for reports: the newest numbers at hand, asked for again at most once in a while. Never waits for the launcher.
 */
import type { Clock } from '../../shared/clock.ts';
import type { SandboxCounts as Counts } from '../../shared/model/sandbox-gauges.ts';
import type { Sandbox } from '../../shared/sandbox/sandbox.ts';

const INTERVAL_MS = 1000;

/** See the head of this file. */
export class SandboxCounts {
  readonly #sandbox: Partial<Pick<Sandbox, 'gauges'>>;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #counts: { readonly sandbox?: Counts } = {};
  #dueMs = 0;

  constructor(sandbox: Partial<Pick<Sandbox, 'gauges'>>, clock: Pick<Clock, 'monotonicMs'>) {
    this.#sandbox = sandbox;
    this.#clock = clock;
  }

  /** What was counted last; it is asked for again for the report after this one. */
  latest(): { readonly sandbox?: Counts } {
    const now = this.#clock.monotonicMs();
    if (this.#sandbox.gauges !== undefined && now >= this.#dueMs) {
      this.#dueMs = now + INTERVAL_MS;
      this.#sandbox.gauges().then(
        ({ stock, stockWanted, stockMisses, running, sweeping }) => {
          this.#counts = { sandbox: { stock, stockWanted, stockMisses, running, sweeping } };
        },
        () => {
          this.#counts = {}; // the launcher is away: whoever launches is told
        },
      );
    }
    return this.#counts;
  }
}
