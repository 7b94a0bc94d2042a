/**
 * Owns chance for statistics: numbers that follow from a seed alone, so that the same samples always get the same intervals.
 * Never reads a clock or Math.random, and is not for secrets.
 * Invariant: two generators of one seed give the same numbers for ever; a change of the arithmetic changes printed intervals.
 */

/** A stream of numbers from a seed (an integer): 32 bits of state stepped by a constant and mixed (the family of splitmix). */
export class Generator {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** A number from 0 up to, but without, 1. */
  share(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 0x1_0000_0000;
  }

  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor(this.share() * limit);
  }
}
