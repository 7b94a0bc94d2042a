/**
 * Owns Ctrl-C in the middle of a measurement: the first asks for what is known so far, the second ends at once.
 * Never ends the process by itself the first time. Invariant: what it has added to the process is gone after `close`.
 */

/** One command that may be interrupted. */
export class Interruption {
  readonly #controller = new AbortController();
  readonly #onSignal = () => {
    if (this.#controller.signal.aborted) process.exit(INTERRUPTED);
    this.#controller.abort();
  };

  constructor() {
    process.on('SIGINT', this.#onSignal);
    process.on('SIGTERM', this.#onSignal);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  close(): void {
    process.off('SIGINT', this.#onSignal);
    process.off('SIGTERM', this.#onSignal);
  }
}

/** Exit codes of the planner's commands. */
export const OK = 0;
/** Wrong arguments, a mix that can't be used, an empty recording, a target below the floor. */
export const USAGE = 64;
/** The instance does not answer, or does no work. */
export const UNAVAILABLE = 69;
export const INTERRUPTED = 130;
