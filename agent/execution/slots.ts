/**
 * Owns the agent's slots: how many executions run at a time, each under its own small number, and what memory they may have together.
 * Never queues: whoever finds none free is refused, since waiting is the business of whoever has the work.
 * Invariants: a slot's number is held by at most one execution, and the lowest free one is given first; memory is never promised twice.
 */
import assert from 'node:assert/strict';
import type { SlotCpus } from './slot-cpus.ts';

/** A fixed number of slots. */
export class Slots {
  readonly total: number;
  /** What all slots together may be promised. */
  readonly memoryBytes: number;
  /** Called whenever a slot was given back: whoever waits here may take it before anybody else is told. */
  freed: () => void = () => undefined;
  readonly #cpus: readonly SlotCpus[];
  /** Memory of whoever holds each slot; null: nobody does. */
  readonly #taken: (number | null)[];
  #freeMemoryBytes: number;
  #free: number;
  #takes = 0;

  /** `memoryBytes`: what all slots together may be promised; `cpus`: the processors of each slot, none given: any. */
  constructor(total: number, memoryBytes: number, cpus: readonly SlotCpus[] = []) {
    assert(Number.isInteger(total) && total >= 1, `an agent has at least one slot, not ${total}`);
    this.total = total;
    this.memoryBytes = memoryBytes;
    this.#cpus = cpus;
    this.#free = total;
    this.#taken = new Array<number | null>(total).fill(null);
    this.#freeMemoryBytes = memoryBytes;
  }

  get free(): number {
    return this.#free;
  }

  /** How many slots have been taken so far. */
  get takes(): number {
    return this.#takes;
  }

  /** The number of the slot taken, with this much memory; or the sentence that says what is missing. `wanted`: no other slot will do. */
  take(memoryBytes: number, wanted: number | null = null): { readonly slot: number } | { readonly refusal: string } {
    const slot = wanted === null || this.#taken[wanted] === null ? (wanted ?? this.#taken.indexOf(null)) : -1;
    if (slot < 0) return { refusal: 'no slot is free' };
    if (memoryBytes > this.#freeMemoryBytes) {
      return {
        refusal: `${memoryBytes} bytes of memory are asked for and ${this.#freeMemoryBytes} are not promised yet`,
      };
    }
    this.#taken[slot] = memoryBytes;
    this.#freeMemoryBytes -= memoryBytes;
    this.#free--;
    this.#takes++;
    return { slot };
  }

  /** Processors of a slot's programs, or null for any. */
  cpusOf(slot: number): SlotCpus {
    return this.#cpus[slot] ?? null;
  }

  /** Gives a taken slot back. */
  giveBack(slot: number): void {
    const memoryBytes = this.#taken[slot];
    assert(typeof memoryBytes === 'number', `slot ${slot} is not taken`);
    this.#taken[slot] = null;
    this.#freeMemoryBytes += memoryBytes;
    this.#free++;
    this.freed();
  }
}
