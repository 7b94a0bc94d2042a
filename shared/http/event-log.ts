/**
 * Owns the ordered, bounded memory of what happened to one execution or build, so that a listener can join late or come back and miss
 * nothing that is still remembered. Never blocks who appends; above the bound the oldest go first.
 * Invariant: numbers grow by one from 1 and are never used twice within one log.
 */

/** Something that happened: `data` is JSON for the event's reader. */
export interface LoggedEvent {
  readonly number: number;
  readonly name: string;
  readonly data: unknown;
}

type Listener = (event: LoggedEvent) => void;

const FORGOTTEN_MIN = 256;

/** A log of events with listeners; `bytesMax` bounds the weights of what is remembered. */
export class EventLog {
  readonly #bytesMax: number;
  readonly #events: { readonly event: LoggedEvent; readonly weight: number }[] = [];
  readonly #listeners = new Set<Listener>();
  readonly #cutListeners = new Set<() => void>();
  /** How many at the beginning of the list are forgotten; they go together, since taking the first of a long list away moves all others. */
  #forgotten = 0;
  #last = 0;
  #bytes = 0;
  #isClosed = false;
  #isClosing = false;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** True from the last event on, also while it is being told. */
  get isClosing(): boolean {
    return this.#isClosing;
  }

  /** Number of the newest event; 0 before there is one. */
  get last(): number {
    return this.#last;
  }

  /** Adds an event; `weight` is its size in bytes, roughly. */
  append(name: string, data: unknown, weight = 64): void {
    if (this.#isClosed) return;
    const event = { number: ++this.#last, name, data };
    this.#events.push({ event, weight });
    this.#bytes += weight;
    this.#forget();
    for (const listener of this.#listeners) listener(event);
  }

  #forget(): void {
    while (this.#bytes > this.#bytesMax && this.#forgotten < this.#events.length - 1) {
      this.#bytes -= this.#events[this.#forgotten]?.weight ?? 0;
      this.#forgotten += 1;
    }
    if (this.#forgotten < FORGOTTEN_MIN || this.#forgotten * 2 < this.#events.length) return;
    this.#events.splice(0, this.#forgotten);
    this.#forgotten = 0;
  }

  /** Adds the last event: listeners are told and let go. */
  close(name: string, data: unknown): void {
    this.#isClosing = true;
    this.append(name, data, 0);
    this.#isClosed = true;
    this.#listeners.clear();
    this.#cutListeners.clear();
  }

  /** Ends without a last event: what follows is told elsewhere. */
  cut(): void {
    this.#isClosing = true;
    this.#isClosed = true;
    for (const listener of this.#cutListeners) listener();
    this.#cutListeners.clear();
    this.#listeners.clear();
  }

  /** Calls once when the log is cut; returns how to stop. */
  onCut(listener: () => void): () => void {
    this.#cutListeners.add(listener);
    return () => this.#cutListeners.delete(listener);
  }

  /** Calls the listener for every remembered event after `number`, then for each new one; returns how to stop. */
  follow(number: number, listener: Listener): () => void {
    for (const { event } of this.#events.slice(this.#forgotten)) if (event.number > number) listener(event);
    if (!this.#isClosed) this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
