/**
 * Owns a binary heap whose items know their place, so that one in the middle can move when its rank changes, in logarithmic time.
 * Never looks into an item: the order is its maker's. Invariant: an item is in one heap at most, at its `heapIndex`.
 */

/** An item's place; -1: it is in no heap. */
export interface Heaped {
  heapIndex: number;
}

/** The items in an order in which the first is always at hand. */
export class IndexedHeap<Item extends Heaped> {
  readonly #items: Item[] = [];
  readonly #isBefore: (a: Item, b: Item) => boolean;

  constructor(isBefore: (a: Item, b: Item) => boolean) {
    this.#isBefore = isBefore;
  }

  get size(): number {
    return this.#items.length;
  }

  first(): Item | undefined {
    return this.#items[0];
  }

  /** Puts an item in, or to where its rank is now. */
  place(item: Item): void {
    if (item.heapIndex === -1) {
      item.heapIndex = this.#items.length;
      this.#items.push(item);
    }
    this.#sink(this.#rise(item.heapIndex));
  }

  /** Takes an item out; nothing happens when it is not in. */
  remove(item: Item): void {
    const index = item.heapIndex;
    if (index === -1) return;
    const last = this.#items.pop() as Item;
    item.heapIndex = -1;
    if (last === item) return;
    this.#put(last, index);
    this.#sink(this.#rise(index));
  }

  #put(item: Item, index: number): void {
    this.#items[index] = item;
    item.heapIndex = index;
  }

  #rise(start: number): number {
    const item = this.#items[start] as Item;
    let index = start;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = this.#items[above] as Item;
      if (!this.#isBefore(item, parent)) break;
      this.#put(parent, index);
      index = above;
    }
    this.#put(item, index);
    return index;
  }

  #sink(start: number): void {
    const item = this.#items[start] as Item;
    let index = start;
    for (;;) {
      let below = 2 * index + 1;
      if (below >= this.#items.length) break;
      const right = this.#items[below + 1];
      if (right !== undefined && this.#isBefore(right, this.#items[below] as Item)) below += 1;
      const child = this.#items[below] as Item;
      if (!this.#isBefore(child, item)) break;
      this.#put(child, index);
      index = below;
    }
    this.#put(item, index);
  }
}
