/**
 * Owns which names become values of a label: the first few that come, for good. All others are together.
 * Never forgets a name, so that a series goes on; never holds more than its bound.
 */

/** What those are called that have no name of their own. */
export const OTHERS = 'other';

/** See the head of this file. */
export class BoundedNames {
  readonly #countMax: number;
  readonly #names = new Set<string>();

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** The name itself, or `other`. */
  of(name: string): string {
    if (this.#names.size < this.#countMax) this.#names.add(name);
    return this.#names.has(name) ? name : OTHERS;
  }
}
