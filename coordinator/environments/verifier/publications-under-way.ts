/**
 * Owns what keeps publishing and sweeping apart within this process: objects that a publication relies on are not removed, and an object that
 * is being removed is not relied on. Never touches the store.
 * Invariant: from `rely` to its release no `remove` of the same object begins, nor one of an object relied on since the sweep began.
 */

/** Objects by their keys. */
export class PublicationsUnderWay {
  readonly #reliedOn = new Map<string, number>();
  readonly #going = new Map<string, Promise<unknown>>();
  #sinceSweep: Set<string> | null = null;

  /** Waits until none of these is being removed, then protects them until the returned function is called. */
  async rely(keys: readonly string[]): Promise<() => void> {
    for (;;) {
      const going = keys.flatMap((key) => this.#going.get(key) ?? []);
      if (going.length === 0) break;
      await Promise.allSettled(going);
    }
    for (const key of keys) {
      this.#reliedOn.set(key, (this.#reliedOn.get(key) ?? 0) + 1);
      this.#sinceSweep?.add(key);
    }
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      for (const key of keys) {
        const left = (this.#reliedOn.get(key) ?? 1) - 1;
        if (left === 0) this.#reliedOn.delete(key);
        else this.#reliedOn.set(key, left);
      }
    };
  }

  /** From now on what a publication relies on is remembered, until the sweep ends. */
  beginSweep(): void {
    this.#sinceSweep = new Set(this.#reliedOn.keys());
  }

  endSweep(): void {
    this.#sinceSweep = null;
  }

  /** Removes an object unless a publication relies on it, or has since the sweep began; says whether it was removed. */
  async remove(key: string, act: () => Promise<void>): Promise<boolean> {
    if (this.#reliedOn.has(key) || this.#sinceSweep?.has(key) === true) return false;
    const going = act().finally(() => this.#going.delete(key));
    this.#going.set(key, going);
    await going;
    return true;
  }
}
