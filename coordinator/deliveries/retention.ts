/**
 * Owns the end of what is kept: results, files and what executions left go when their time is over, a bounded number at a time, for tenants that this
 * coordinator answers for. Never shortens a time, and never touches what an execution still needs.
 * Invariants: nothing of a shard goes before what was left unfinished in it has been taken up, and holds its files again; a store that is away ends a sweep,
 * never this process; an object without a row goes only when it is so old that no upload can be about to record it.
 */
import type { Clock, Timer } from '../../shared/clock.ts';
import { toSystemError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import type { ObjectStore } from '../../shared/storage/object-store.ts';
import type { FileStore } from '../executions/file-store.ts';
import { type ShardLease, shardOf } from '../executions/shard-store.ts';
import type { ExecutionName, ExecutionStore } from '../executions/state-store.ts';
import type { FileService } from '../files/file-service.ts';

/** What it works with. */
export interface RetentionDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly executions: Pick<ExecutionStore, 'outdated' | 'remove'>;
  readonly rows: Pick<FileStore, 'expired' | 'known'>;
  readonly files: Pick<FileService, 'discard' | 'holds'>;
  readonly objects: Pick<ObjectStore, 'list' | 'delete'>;
  readonly shards: { leaseFor(tenantId: string): ShardLease };
  /** What is remembered of executions that ended at that time or before, or of this one, is forgotten. */
  readonly forget: (what: { readonly endedAtMs: number } | ExecutionName) => void;
}

/** Its policy. */
export interface RetentionOptions {
  /** Results; 0: for ever. */
  readonly resultTtlMs: number;
  /** How often it looks; 0: never. */
  readonly retentionIntervalMs: number;
}

/** What one sweep removed. */
export interface Swept {
  readonly executions: number;
  readonly files: number;
  readonly orphans: number;
}

const BATCH_MAX = 200;
const AT_ONCE = 8;
/** No upload takes so long; and the store's clock may be another one. */
const ORPHAN_AGE_MS = 86_400_000;
const ORPHAN_INTERVAL_MS = 86_400_000;
/** Whoever answers for this shard looks for orphans, which belong to nobody. */
const ORPHANS_SHARD = 0;

/** See the head of this file. */
export class Retention {
  readonly #deps: RetentionDeps;
  readonly #options: RetentionOptions;
  readonly #shards = new Set<number>();
  #timer: Timer | null = null;
  #sweeping: Promise<Swept> | null = null;
  #orphansDueMs = 0;
  #isStopped = false;

  constructor(deps: RetentionDeps, options: RetentionOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** What was left in these shards has been taken up. */
  took(shards: readonly number[]): void {
    for (const shard of shards) this.#shards.add(shard);
  }

  letGo(shards: readonly number[]): void {
    for (const shard of shards) this.#shards.delete(shard);
  }

  start(): void {
    const { retentionIntervalMs } = this.#options;
    if (this.#isStopped || retentionIntervalMs === 0) return;
    this.#timer = this.#deps.clock.after(retentionIntervalMs, () => {
      this.sweep()
        .catch((error: unknown) => this.#deps.log.error({ reason: toSystemError(error).message }, 'retention stopped'))
        .finally(() => this.start());
    });
  }

  /** Begins nothing more; resolves when nothing is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#sweeping?.catch(() => undefined);
  }

  /** Removes what is over now; one sweep at a time. SystemError of the store that was away. */
  sweep(): Promise<Swept> {
    this.#sweeping ??= this.#sweep().finally(() => {
      this.#sweeping = null;
    });
    return this.#sweeping;
  }

  async #sweep(): Promise<Swept> {
    // Executions first: with them ends the time of what they left.
    const executions = await this.#sweepExecutions();
    const files = await this.#sweepFiles();
    const orphans = await this.#sweepOrphans();
    const swept = { executions, files, orphans };
    if (executions + files + orphans > 0) this.#deps.log.info(swept, 'retention swept');
    return swept;
  }

  async #sweepExecutions(): Promise<number> {
    const { resultTtlMs } = this.#options;
    if (resultTtlMs === 0) return 0;
    const { executions, clock, forget } = this.#deps;
    const endedAtMs = clock.nowMs() - resultTtlMs;
    forget({ endedAtMs });
    return await this.#inBatches(
      () => executions.outdated([...this.#shards], endedAtMs, BATCH_MAX),
      async (execution, lease) => {
        forget(execution);
        return await executions.remove(execution, lease);
      },
    );
  }

  async #sweepFiles(): Promise<number> {
    const { rows, files, clock } = this.#deps;
    return await this.#inBatches(
      // What is held stands in the way of nothing else.
      () => rows.expired([...this.#shards], clock.nowMs(), BATCH_MAX + files.holds.size),
      (row) => files.discard(row),
    );
  }

  /** Batch after batch, until one is not full or nothing of it went. */
  async #inBatches<Item extends { readonly tenantId: string }>(
    read: () => Promise<readonly Item[]>,
    remove: (item: Item, lease: ShardLease) => Promise<boolean>,
  ): Promise<number> {
    let removed = 0;
    for (;;) {
      const batch = this.#shards.size === 0 ? [] : await read();
      const before = removed;
      for (let start = 0; start < batch.length && !this.#isStopped; start += AT_ONCE) {
        const group = batch.slice(start, start + AT_ONCE).filter(({ tenantId }) => this.#shards.has(shardOf(tenantId)));
        const gone = await Promise.all(group.map((item) => this.#remove(item, remove)));
        removed += gone.filter(Boolean).length;
      }
      if (batch.length < BATCH_MAX || removed === before || this.#isStopped) return removed;
    }
  }

  async #remove<Item extends { readonly tenantId: string }>(
    item: Item,
    remove: (item: Item, lease: ShardLease) => Promise<boolean>,
  ): Promise<boolean> {
    try {
      return await remove(item, this.#deps.shards.leaseFor(item.tenantId));
    } catch (error) {
      // Its new coordinator removes it.
      if (toSystemError(error).code === 'shard-moved') return false;
      throw error;
    }
  }

  async #sweepOrphans(): Promise<number> {
    const { objects, clock } = this.#deps;
    const nowMs = clock.nowMs();
    if (nowMs < this.#orphansDueMs || !this.#shards.has(ORPHANS_SHARD)) return 0;
    let removed = 0;
    let keys: string[] = [];
    for await (const { key, storedAtMs } of objects.list('')) {
      if (this.#isStopped) return removed;
      if (storedAtMs <= nowMs - ORPHAN_AGE_MS) keys.push(key);
      if (keys.length < BATCH_MAX) continue;
      removed += await this.#removeOrphans(keys);
      keys = [];
    }
    removed += await this.#removeOrphans(keys);
    this.#orphansDueMs = nowMs + ORPHAN_INTERVAL_MS;
    return removed;
  }

  async #removeOrphans(keys: readonly string[]): Promise<number> {
    const { rows, objects } = this.#deps;
    if (keys.length === 0) return 0;
    const known = await rows.known(keys);
    const orphans = keys.filter((key) => !known.has(key));
    for (const key of orphans) await objects.delete(key);
    return orphans.length;
  }
}
