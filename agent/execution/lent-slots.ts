/**
 * Owns slots that leases have beside their own, for tests that may run at a time, or that the agent calibrates: lent while they are free, and not
 * offered meanwhile.
 * Never takes a slot from anybody. Invariant: what is lent was taken from the agent's one table of slots, with its memory.
 */
import type { SlotCpus } from './slot-cpus.ts';
import type { Slots } from './slots.ts';

/** Lends slots for tests that may run at a time. */
export interface SlotLender {
  /** A slot with as much memory as the lease has, besides its own; null when there is none to spare. */
  borrow(): BorrowedSlot | null;
}

/** A slot that was lent. */
export interface BorrowedSlot {
  readonly slot: number;
  readonly cpus: SlotCpus;
  giveBack(): void;
}

/** See the head of this file. */
export class LentSlots {
  readonly #slots: Slots;
  readonly #changed: () => void;
  #count = 0;
  #memoryBytes = 0;

  /** `changed`: what the agent offers is another thing now. */
  constructor(slots: Slots, changed: () => void) {
    this.#slots = slots;
    this.#changed = changed;
  }

  /** What is lent now: not to be promised to leases. */
  get claims(): { readonly slots: number; readonly memoryBytes: number } {
    return { slots: this.#count, memoryBytes: this.#memoryBytes };
  }

  /** A lender for a lease that has this much memory on each slot. */
  lenderFor(memoryBytes: number): SlotLender {
    return { borrow: () => this.#borrow(memoryBytes, null) };
  }

  /** This slot, for what the agent itself does there; null: it is taken. */
  borrowSlot(slot: number, memoryBytes: number): BorrowedSlot | null {
    return this.#borrow(memoryBytes, slot);
  }

  #borrow(memoryBytes: number, wanted: number | null): BorrowedSlot | null {
    const taken = this.#slots.take(memoryBytes, wanted);
    if ('refusal' in taken) return null;
    this.#move(1, memoryBytes);
    const { slot } = taken;
    let isBack = false;
    const giveBack = () => {
      if (isBack) return;
      isBack = true;
      this.#slots.giveBack(slot);
      this.#move(-1, -memoryBytes);
    };
    return { slot, cpus: this.#slots.cpusOf(slot), giveBack };
  }

  #move(slots: number, memoryBytes: number): void {
    this.#count += slots;
    this.#memoryBytes += memoryBytes;
    this.#changed();
  }
}
