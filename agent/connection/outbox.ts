/**
 * Owns the results that the coordinator has not acknowledged yet, as the text that is sent, in the order in which they came.
 * Never drops one: when it is full the agent takes no new leases, so it can outgrow its bounds only by what is running already.
 */

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
}

/** Unacknowledged results by lease. */
export class Outbox {
  readonly #bounds: OutboxBounds;
  readonly #entries = new Map<string, OutboxEntry>();
  #bytes = 0;

  constructor(bounds: OutboxBounds) {
    this.#bounds = bounds;
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
  }

  /** All of them, oldest first. */
  entries(): OutboxEntry[] {
    return [...this.#entries.values()];
  }
}
