/**
 * Owns a set from which any one can be drawn at once: for choosing among thousands without looking at all of them.
 * Never keeps an order. Invariant: every item is in it once, at the place that it is remembered at.
 */
import type { Random } from '../../shared/clock.ts';

/** A set with random access; adding, deleting and drawing take constant time. */
export class SampledSet<Item> {
  readonly #items: Item[] = [];
  readonly #places = new Map<Item, number>();

  get size(): number {
    return this.#items.length;
  }

  has(item: Item): boolean {
    return this.#places.has(item);
  }

  add(item: Item): void {
    if (this.#places.has(item)) return;
    this.#places.set(item, this.#items.length);
    this.#items.push(item);
  }

  delete(item: Item): boolean {
    const place = this.#places.get(item);
    if (place === undefined) return false;
    const last = this.#items.pop() as Item;
    this.#places.delete(item);
    if (last === item) return true;
    this.#items[place] = last;
    this.#places.set(last, place);
    return true;
  }

  /** One of them by chance; undefined when there is none. */
  draw(random: Pick<Random, 'next'>): Item | undefined {
    return this.#items[Math.floor(random.next() * this.#items.length)];
  }

  /** All of them, in no order that means anything. */
  values(): readonly Item[] {
    return this.#items;
  }
}
