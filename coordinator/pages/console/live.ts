/**
 * Owns keeping a view live: it asks again every two seconds, later and later while nobody answers, and not at all while the page is hidden.
 * Never shows anything itself. Invariant: one question is under way at a time, and none after `stop`.
 */
import { after } from '../foundation/page-clock.ts';

const PERIOD_MS = 2000;
const PERIOD_MS_MAX = 30_000;

/** How it goes. */
export type LiveState = { readonly kind: 'live' | 'paused' } | { readonly kind: 'lost'; readonly error: unknown };

/** See the head of this file. */
export class Live {
  readonly #refresh: (signal: AbortSignal) => Promise<void>;
  readonly #tell: (state: LiveState) => void;
  readonly #stopped = new AbortController();
  #cancel: () => void = () => undefined;
  #isAsking = false;
  #failures = 0;

  constructor(refresh: (signal: AbortSignal) => Promise<void>, tell: (state: LiveState) => void) {
    this.#refresh = refresh;
    this.#tell = tell;
    const { signal } = this.#stopped;
    document.addEventListener('visibilitychange', () => this.#turn(), { signal });
    this.#turn();
  }

  stop(): void {
    this.#stopped.abort();
    this.#cancel();
  }

  /** Asks now. */
  again(): void {
    this.#cancel();
    void this.#ask();
  }

  #turn(): void {
    this.#cancel();
    if (document.hidden) this.#tell({ kind: 'paused' });
    else void this.#ask();
  }

  async #ask(): Promise<void> {
    const { signal } = this.#stopped;
    if (this.#isAsking || signal.aborted) return;
    this.#isAsking = true;
    try {
      await this.#refresh(signal);
      this.#failures = 0;
      if (!signal.aborted) this.#tell({ kind: 'live' });
    } catch (error) {
      this.#failures += 1;
      if (!signal.aborted) this.#tell({ kind: 'lost', error });
    }
    this.#isAsking = false;
    if (signal.aborted || document.hidden) return;
    const delayMs = Math.min(PERIOD_MS_MAX, PERIOD_MS * 2 ** this.#failures);
    this.#cancel = after(delayMs, () => void this.#ask());
  }
}
