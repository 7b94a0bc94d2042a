/**
 * Owns the agent's slots: how many executions run at a time, each under its own small number.
 * Never queues: whoever finds none free is refused, since waiting is the coordinator's business.
 * Invariant: a slot's number is held by at most one execution; the lowest free one is given first.
 */
import assert from 'node:assert/strict';
import type { SlotCpus } from './slot-cpus.ts';

/** A fixed number of slots. */
export class Slots {
  readonly total: number;
  readonly #cpus: readonly SlotCpus[];
  readonly #taken: boolean[];
  #free: number;

  /** `cpus`: the processors of each slot; none given: any. */
  constructor(total: number, cpus: readonly SlotCpus[] = []) {
    assert(Number.isInteger(total) && total >= 1, `an agent has at least one slot, not ${total}`);
    this.total = total;
    this.#cpus = cpus;
    this.#free = total;
    this.#taken = new Array<boolean>(total).fill(false);
  }

  get free(): number {
    return this.#free;
  }

  /** The number of the slot taken, or null when all are in use. */
  take(): number | null {
    const slot = this.#taken.indexOf(false);
    if (slot < 0) return null;
    this.#taken[slot] = true;
    this.#free--;
    return slot;
  }

  /** Processors of a slot's programs, or null for any. */
  cpusOf(slot: number): SlotCpus {
    return this.#cpus[slot] ?? null;
  }

  /** Gives a taken slot back. */
  giveBack(slot: number): void {
    assert(this.#taken[slot] === true, `slot ${slot} is not taken`);
    this.#taken[slot] = false;
    this.#free++;
  }
}
