/**
 * Owns the ordered, bounded memory of what happened to one execution or build, so that a listener can join late or come back and miss
 * nothing that is still remembered. Never blocks who appends; above the bound the oldest go first.
 * Invariants: numbers grow by one and are never used twice within one log; a log that takes another's place, here or at another coordinator, begins above
 * all numbers of that one; the last event of every log has the same number, so that whoever had it needs nothing more, wherever he asks.
 */
import type { Clock } from '../clock.ts';

/** Something that happened: `data` is JSON for the event's reader. */
export interface LoggedEvent {
  readonly number: number;
  readonly name: string;
  readonly data: unknown;
}

type Listener = (event: LoggedEvent) => void;

/** Of the last event of a log that was closed. */
export const LAST_NUMBER = Number.MAX_SAFE_INTEGER;
/** More events a millisecond than one log ever gets. */
const NUMBERS_PER_MS = 1024;

/** Where a log begins that takes the place of an earlier one of the same thing. */
export function numberFrom(clock: Pick<Clock, 'nowMs'>): number {
  return Math.floor(clock.nowMs()) * NUMBERS_PER_MS;
}

const FORGOTTEN_MIN = 256;

/** A log of events with listeners; `bytesMax` bounds the weights of what is remembered. */
export class EventLog {
  readonly #bytesMax: number;
  readonly #events: { readonly event: LoggedEvent; readonly weight: number }[] = [];
  readonly #listeners = new Set<Listener>();
  readonly #cutListeners = new Set<() => void>();
  /** How many at the beginning of the list are forgotten; they go together, since taking the first of a long list away moves all others. */
  #forgotten = 0;
  readonly #first: number;
  #last: number;
  #bytes = 0;
  #isClosed = false;
  #isClosing = false;
  /** Events that there ever were. */
  #count = 0;

  /** Numbers begin above `first`. */
  constructor(bytesMax: number, first = 0) {
    this.#bytesMax = bytesMax;
    this.#first = first;
    this.#last = first;
  }

  /** What is remembered weighs, roughly. */
  get bytes(): number {
    return this.#bytes;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** True from the last event on, also while it is being told. */
  get isClosing(): boolean {
    return this.#isClosing;
  }

  /** Number of the newest event; before there is one, that above which they begin. */
  get last(): number {
    return this.#last;
  }

  /** The first event after this number that is remembered. */
  after(number: number): LoggedEvent | undefined {
    const oldest = this.#events[this.#forgotten]?.event.number ?? LAST_NUMBER;
    const index = this.#forgotten + Math.max(0, number - oldest + 1);
    const event = this.#events[Math.min(index, this.#events.length - 1)]?.event;
    return event !== undefined && event.number > number ? event : undefined;
  }

  /** How many events after this number are not remembered any more; those of an earlier log are nobody's. */
  forgottenAfter(number: number): number {
    const oldest = this.#events[this.#forgotten]?.event.number ?? this.#first + 1;
    const known = oldest === LAST_NUMBER ? this.#first + this.#count : oldest;
    return Math.max(0, known - 1 - Math.max(number, this.#first));
  }

  /** Adds an event; `weight` is its size in bytes, roughly. */
  append(name: string, data: unknown, weight = 64): void {
    if (this.#isClosed) return;
    this.#count += 1;
    this.#last = this.#isClosing ? LAST_NUMBER : this.#last + 1;
    const event = { number: this.#last, name, data };
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
