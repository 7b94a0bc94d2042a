/**
 * Owns which files executions need that are not over: such a file stays although its time is over or its tenant has deleted it.
 * Never knows an execution. Invariant: a file is held as long as one of its holders has not let go.
 */
import type { FileName } from '../executions/file-store.ts';

const toKey = ({ tenantId, id }: FileName) => `${tenantId} ${id}`;

/** Counts holders by file. */
export class FileHolds {
  readonly #counts = new Map<string, number>();

  get size(): number {
    return this.#counts.size;
  }

  has(file: FileName): boolean {
    return this.#counts.has(toKey(file));
  }

  /** Holds these; what is answered lets go of them, once. */
  take(files: readonly FileName[]): () => void {
    const keys = files.map(toKey);
    for (const key of keys) this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      for (const key of keys) {
        const count = (this.#counts.get(key) ?? 1) - 1;
        if (count === 0) this.#counts.delete(key);
        else this.#counts.set(key, count);
      }
    };
  }
}
