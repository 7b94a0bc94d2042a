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

  /** Lets everything happen until then; `happened` is called after each event. */
  runUntil(endMs: number, happened: () => void = () => undefined): void {
    for (let event = this.#events.first(); event !== undefined && event.atMs <= endMs; event = this.#events.first()) {
      this.#events.remove(event);
      this.#nowMs = event.atMs;
      event.action();
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

  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  of<Item>(items: readonly Item[]): Item {
    return this.#numbers.of(items);
  }
}
