/**
 * Owns the results that the coordinator has not acknowledged yet, as the text that is sent, in the order in which they came.
 * Never drops one: when it is full the agent takes no new leases, so it can outgrow its bounds only by what is running already.
 * Invariant: while the coordinator is away, and from the end of this process on, every one of them is where the next process finds it, unless
 * the disk had no room since; on a connection that works the disk is not touched.
 */
import type { KeptResults } from './kept-results.ts';

/** Bounds of an outbox. */
export interface OutboxBounds {
  readonly entriesMax: number;
  readonly bytesMax: number;
}

/** One result: the whole message. */
export interface OutboxEntry {
  readonly lease: string;
  readonly fence: number;
  readonly text: string;
  /** Whose it is, for logs; absent: an earlier process had it. */
  readonly executionId?: string;
}

/** Unacknowledged results by lease. */
export class Outbox {
  readonly #bounds: OutboxBounds;
  readonly #kept: Pick<KeptResults, 'keep' | 'forget'> | null;
  readonly #entries = new Map<string, OutboxEntry>();
  readonly #onDisk = new Set<string>();
  #bytes = 0;
  #isAway = true;

  /** `kept`: where results outlive this process, and what an earlier one left there. */
  constructor(bounds: OutboxBounds, kept: Pick<KeptResults, 'before' | 'keep' | 'forget'> | null = null) {
    this.#bounds = bounds;
    this.#kept = kept;
    for (const entry of kept?.before ?? []) {
      this.#onDisk.add(entry.lease);
      this.add(entry);
    }
  }

  get size(): number {
    return this.#entries.size;
  }

  get isFull(): boolean {
    return this.#entries.size >= this.#bounds.entriesMax || this.#bytes >= this.#bounds.bytesMax;
  }

  /** Keeps a result until `forget`; the first one of a lease stays. */
  add(entry: OutboxEntry): void {
    if (this.#entries.has(entry.lease)) return;
    this.#entries.set(entry.lease, entry);
    this.#bytes += entry.text.length;
    if (this.#isAway) this.#keep(entry);
  }

  get(lease: string): OutboxEntry | undefined {
    return this.#entries.get(lease);
  }

  /** The coordinator has it, or does not want it. Idempotent. */
  forget(lease: string): void {
    const entry = this.#entries.get(lease);
    if (entry === undefined) return;
    this.#entries.delete(lease);
    this.#bytes -= entry.text.length;
    if (this.#onDisk.delete(lease)) this.#kept?.forget(lease);
  }

  /** All of them, oldest first. */
  entries(): OutboxEntry[] {
    return [...this.#entries.values()];
  }

  /** Nobody can be told now: this process may end before somebody can. What found no room before is tried again. */
  away(): void {
    this.#isAway = true;
    for (const entry of this.#entries.values()) this.#keep(entry);
  }

  /** The coordinator is there and is told. */
  back(): void {
    this.#isAway = false;
  }

  #keep(entry: OutboxEntry): void {
    if (this.#kept === null || this.#onDisk.has(entry.lease)) return;
    this.#onDisk.add(entry.lease);
    void this.#kept.keep(entry).then((isKept) => {
      if (!isKept) this.#onDisk.delete(entry.lease);
      // Where one found room, there may be some for those that did not.
      else if (this.#isAway) this.away();
    });
  }
}
