/**
 * Owns which tenants this coordinator answers for: it says in time that it is there, takes what nobody has, and gives up what it has too much of as
 * soon as nothing of it is under way. Never stores anything else, and never moves what is under way.
 * Invariants: a lease is given out only while the store can't have given its shard to others, by our own monotonic clock; whoever listens hears
 * of a shard before anything is written under its lease.
 */
import { type Clock, passed, type Timer } from '../../shared/clock.ts';
import { SystemError, toSystemError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import {
  type ClusterView,
  type Member,
  SHARDS,
  type ShardLease,
  type ShardStore,
  shardOf,
} from '../executions/shard-store.ts';

/** Who hears what changes. */
export interface ShardListener {
  /** These shards are ours from now on: what was left in them is to be taken up. */
  gained(shards: readonly number[]): void;
  /** These are somebody else's: nothing of them is ours to end any more. */
  lost(shards: readonly number[]): void;
  /** Who is there. */
  viewed(members: readonly Member[]): void;
  /** We gave up shards that others may take at once. */
  released(): void;
}

/** What a keeper needs. */
export interface ShardKeeperDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly store: ShardStore;
  /** Is nothing of this shard under way here? */
  readonly isIdle: (shard: number) => boolean;
}

/** Whoever says nothing for a quarter of its time has three more chances. */
const BEATS_IN_TTL = 4;
/** What we stop believing in before the store does: for what is on its way, and for clocks that do not run alike. */
const MARGIN = 0.15;
const SETTLE_MS = 2000;
const SETTLE_STEP_MS = 100;

/** See the head of this file. */
export class ShardKeeper {
  readonly #deps: ShardKeeperDeps;
  readonly #ttlMs: number;
  readonly #held = new Map<number, ShardLease>();
  #listener: ShardListener = { gained: nothing, lost: nothing, viewed: nothing, released: nothing };
  #member: Member;
  #view: ClusterView = { members: [], holders: [], held: [] };
  #goodUntilMs = 0;
  #beating: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  #timer: Timer | null = null;
  #isStopped = false;

  constructor(deps: ShardKeeperDeps, id: string, options: { memberTtlMs: number }) {
    this.#deps = deps;
    this.#ttlMs = options.memberTtlMs;
    this.#member = { id, url: '' };
  }

  get id(): string {
    return this.#member.id;
  }

  /** Others that share the store, as far as we know. */
  get others(): readonly Member[] {
    return this.#view.members.filter(({ id }) => id !== this.id);
  }

  /** Tells the listener, the only one, from now on. */
  listen(listener: ShardListener): void {
    this.#listener = listener;
  }

  /** Joins under this URL and takes its part; SystemError `state-store-unavailable`. */
  async start(url: string): Promise<void> {
    this.#member = { ...this.#member, url };
    await this.beat();
    this.#schedule();
  }

  /** Gives everything up, for others to take at once. Idempotent. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#beating?.catch(nothing);
    this.#held.clear();
    await this.#deps.store.leave(this.id).catch((error: unknown) => {
      this.#deps.log.warn({ reason: toSystemError(error).message }, 'shards not given up: their time runs out');
    });
  }

  /** The lease under which this tenant's records are written here; null: it is somebody else's, or may be. */
  leaseOf(tenantId: string): ShardLease | null {
    return this.holds(shardOf(tenantId));
  }

  /** The lease of a shard, if it is ours. */
  holds(shard: number): ShardLease | null {
    if (this.#deps.store.isShared && this.#deps.clock.monotonicMs() >= this.#goodUntilMs) return null;
    return this.#held.get(shard) ?? null;
  }

  /** All shards that are ours. */
  get all(): readonly number[] {
    return [...this.#held.keys()].filter((shard) => this.holds(shard) !== null);
  }

  /** Have we heard of nobody else who has it, though the store may have given it away by now? */
  isKept(shard: number): boolean {
    return this.#held.has(shard);
  }

  /** The lease for a write; SystemError `shard-moved` without one. */
  leaseFor(tenantId: string): ShardLease {
    const lease = this.leaseOf(tenantId);
    if (lease !== null) return lease;
    throw new SystemError('shard-moved', `another coordinator answers for tenant ${tenantId}, or none does now`, {
      retryAfterSeconds: 2,
    });
  }

  /** Who answers for a shard, as far as we know; null: nobody. */
  holderOf(shard: number): Member | null {
    if (this.holds(shard) !== null) return this.#member;
    const holder = this.#view.holders[shard] ?? null;
    return holder === this.id ? null : (this.#view.members.find(({ id }) => id === holder) ?? null);
  }

  /** `holderOf`, after asking again for a moment while nobody does. */
  async settle(shard: number): Promise<Member | null> {
    const { clock } = this.#deps;
    const untilMs = clock.monotonicMs() + SETTLE_MS;
    for (let holder = this.holderOf(shard); ; holder = this.holderOf(shard)) {
      if (holder !== null || this.#isStopped || clock.monotonicMs() >= untilMs) return holder;
      await this.beat().catch(nothing);
      if (this.holderOf(shard) !== null) continue;
      await passed(clock, SETTLE_STEP_MS);
    }
  }

  /** Says that we are there, and hears what is so from now on; one at a time. */
  beat(): Promise<void> {
    if (this.#beating === null) {
      this.#beating = this.#beat().finally(() => {
        this.#beating = null;
      });
      return this.#beating;
    }
    // What is under way may not know any more what made somebody ask.
    this.#next ??= this.#beating.catch(nothing).then(() => {
      this.#next = null;
      return this.beat();
    });
    return this.#next;
  }

  async #beat(): Promise<void> {
    if (this.#isStopped) return;
    const { clock, store } = this.#deps;
    const sentAtMs = clock.monotonicMs();
    const released = this.#spare();
    // Nothing may be written under what the store is being told to give away.
    const leases = released.flatMap((shard) => this.#held.get(shard) ?? []);
    for (const shard of released) this.#held.delete(shard);
    try {
      this.#take(await store.beat(this.#member, this.#ttlMs, released), sentAtMs);
    } catch (error) {
      for (const lease of leases) this.#held.set(lease.shard, lease);
      throw error;
    }
    if (released.length > 0) this.#listener.released();
  }

  /** What we have beyond our part and nothing is under way in. */
  #spare(): number[] {
    const { members } = this.#view;
    if (!this.#deps.store.isShared || members.length < 2) return [];
    const excess = this.#held.size - Math.ceil(SHARDS / members.length);
    if (excess <= 0) return [];
    return [...this.#held.keys()].filter((shard) => this.#deps.isIdle(shard)).slice(0, excess);
  }

  #take(view: ClusterView, sentAtMs: number): void {
    if (this.#isStopped) return;
    const lost: number[] = [];
    const gained: number[] = [];
    const now = new Map(view.held.map((lease) => [lease.shard, lease]));
    for (const [shard, { epoch }] of this.#held) {
      const lease = now.get(shard);
      // The next epoch, and ours: we were forgotten for a moment, and nobody had it meanwhile.
      if (lease === undefined || lease.epoch > epoch + 1) lost.push(shard);
    }
    for (const [shard, lease] of now) if (!this.#held.has(shard) || lost.includes(shard)) gained.push(lease.shard);
    this.#held.clear();
    for (const [shard, lease] of now) this.#held.set(shard, lease);
    this.#view = view;
    this.#goodUntilMs = sentAtMs + this.#ttlMs * (1 - MARGIN);
    if (lost.length > 0) this.#deps.log.warn({ shards: lost }, 'shards lost');
    if (gained.length > 0) this.#deps.log.info({ shards: gained.length, of: SHARDS }, 'shards taken');
    this.#listener.viewed(view.members);
    if (lost.length > 0) this.#listener.lost(lost);
    if (gained.length > 0) this.#listener.gained(gained);
  }

  #schedule(): void {
    if (this.#isStopped || !this.#deps.store.isShared) return;
    this.#timer = this.#deps.clock.after(this.#ttlMs / BEATS_IN_TTL, () => {
      this.beat()
        .catch((error: unknown) => this.#deps.log.error({ reason: toSystemError(error).message }, 'shards not renewed'))
        .finally(() => this.#schedule());
    });
  }
}

function nothing(): void {
  // Nobody listens yet, or the answer does not matter.
}
