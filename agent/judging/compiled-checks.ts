/**
 * Owns what compiled check programs have left, for the executions after: a checker that takes seconds to compile is compiled once on an agent, not
 * once for each submission. Only for the tenant that it was compiled for, and only the same files, script, limits and layers.
 * Never compiles. Invariants: together they weigh at most what they were given, which the agent does not offer to leases; what is used is not let go
 * of; what another tenant has compiled can be told by nobody.
 */
import { LRUCache } from 'lru-cache';
import type { Report } from '../../shared/model/verdict.ts';
import type { KeptLayer, Sandbox } from '../../shared/sandbox/sandbox.ts';

/** A check program's compile step, done. */
export interface CompiledCheck {
  readonly kept: KeptLayer;
  readonly report: Report;
}

interface Entry extends CompiledCheck {
  users: number;
  isGone: boolean;
}

/** One larger than this part of the room is not worth all others. */
const PART_MAX = 1 / 2;

/** See the head of this file. */
export class CompiledChecks {
  readonly #sandbox: Pick<Sandbox, 'release'>;
  readonly #entries: LRUCache<string, Entry> | null;
  readonly #bytesMax: number;

  /** `bytesMax`: of all of them together; 0 keeps none. */
  constructor(sandbox: Pick<Sandbox, 'release'>, bytesMax: number) {
    this.#sandbox = sandbox;
    this.#bytesMax = bytesMax;
    const dispose = (entry: Entry) => {
      entry.isGone = true;
      this.#leave(entry);
    };
    this.#entries = bytesMax === 0 ? null : new LRUCache<string, Entry>({ maxSize: bytesMax, dispose });
  }

  get count(): number {
    return this.#entries?.size ?? 0;
  }

  /** What was compiled under this key, held until `release`; null: nothing. */
  acquire(key: string): { readonly compiled: CompiledCheck; release(): void } | null {
    const entry = this.#entries?.get(key);
    if (entry === undefined) return null;
    entry.users += 1;
    return { compiled: entry, release: () => this.#unuse(entry) };
  }

  /** Takes over what was compiled, which weighs this much; null: it stays whose it is. Held until `release`. */
  add(key: string, compiled: CompiledCheck, bytes: number): { release(): void } | null {
    if (this.#entries === null || bytes > this.#bytesMax * PART_MAX) return null;
    const entry: Entry = { ...compiled, users: 1, isGone: false };
    this.#entries.set(key, entry, { size: Math.max(1, bytes) });
    return { release: () => this.#unuse(entry) };
  }

  /** It turned out not to be there any more: the launcher that kept it is gone. */
  forget(key: string): void {
    this.#entries?.delete(key);
  }

  #unuse(entry: Entry): void {
    entry.users -= 1;
    if (entry.isGone) this.#leave(entry);
  }

  #leave({ users, kept }: Entry): void {
    if (users === 0) this.#sandbox.release(kept);
  }
}
