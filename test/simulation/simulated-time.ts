/**
 * Owns time and chance of a simulation: a clock that jumps from one timer to the next, however many there are, and numbers that follow from a
 * seed. Never reads the machine's clock. Invariant: timers fire in the order of their times, those of the same time in the order of their making.
 */
import { type Heaped, IndexedHeap } from '../../coordinator/scheduler/indexed-heap.ts';
import type { Clock, Random, Timer } from '../../shared/clock.ts';
import { SeededNumbers } from '../support/seeded-numbers.ts';

interface Event extends Heaped {
  readonly atMs: number;
  readonly order: number;
  readonly action: () => void;
}

/** A clock that a simulation drives. */
export class SimulatedTime implements Clock {
  readonly #events = new IndexedHeap<Event>((a, b) => (a.atMs !== b.atMs ? a.atMs < b.atMs : a.order < b.order));
  #nowMs = 0;
  #order = 0;
  /** Added to what `nowMs` says: a wall clock may be set, time itself goes on. */
  wallOffsetMs = 1_700_000_000_000;

  nowMs(): number {
    return this.#nowMs + this.wallOffsetMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, action: () => void): Timer {
    const event: Event = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, action, heapIndex: -1 };
    this.#events.place(event);
    return { cancel: () => this.#events.remove(event) };
  }

  /** Lets the next event happen; false when there is none. */
  step(): boolean {
    const event = this.#events.first();
    if (event === undefined) return false;
    this.#events.remove(event);
    this.#nowMs = event.atMs;
    event.action();
    return true;
  }

  /** Lets everything happen until then; `happened` is called after each event. */
  runUntil(endMs: number, happened: () => void = () => undefined): void {
    while ((this.#events.first()?.atMs ?? Number.POSITIVE_INFINITY) <= endMs) {
      this.step();
      happened();
    }
    this.#nowMs = Math.max(this.#nowMs, endMs);
  }
}

/** Chance that can be had again. */
export class SimulatedChance implements Random {
  readonly #numbers: SeededNumbers;

  constructor(seed: string) {
    this.#numbers = new SeededNumbers(seed);
  }

  next(): number {
    return this.#numbers.below(0x1_0000_0000) / 0x1_0000_0000;
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.#numbers.below(256));
  }

  /** Is it one of so many in a hundred? */
  percent(share: number): boolean {
    return this.next() * 100 < share;
  }

  /** Exponential, of this mean. */
  gap(mean: number): number {
    return -Math.log(1 - this.next()) * mean;
  }

  /** A number below `count`, the first ones more often: Zipf's law with this exponent, made continuous. */
  zipf(count: number, exponent: number): number {
    const rest = 1 - exponent;
    const share = this.next();
    const rank = Math.abs(rest) < 1e-6 ? count ** share : ((count ** rest - 1) * share + 1) ** (1 / rest);
    return Math.min(count - 1, Math.floor(rank) - 1);
  }

  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  of<Item>(items: readonly Item[]): Item {
    return this.#numbers.of(items);
  }
}
