/**
 * Owns counting how many of something are under way by name. Never holds a name that has none.
 * For bounds that are asked for at every step: all answers are at hand.
 */

/** Counts by name. */
export class Tally {
  readonly #counts = new Map<string, number>();

  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  names(): string[] {
    return [...this.#counts.keys()];
  }

  add(name: string): void {
    this.#counts.set(name, this.of(name) + 1);
  }

  remove(name: string): void {
    const count = this.of(name) - 1;
    if (count > 0) this.#counts.set(name, count);
    else this.#counts.delete(name);
  }
}
