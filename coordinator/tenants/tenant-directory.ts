/**
 * Owns the tenants and keys that hold now: those of the file, and those of the store, in memory, so that who asks is known without a question to
 * anybody. Looks at the store's version again and again, at once for a key that it does not know and that could be one.
 * Never changes the store but for when keys were used. Invariants: the file says everything about the tenants that it lists; a revoked key is known
 * for at most `keysRefreshMs` after the store could be asked, and for at most `keysGraceMs` while it can't; however many keys are guessed, the store is
 * asked at most once in LOOK_MS.
 */
import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { type Clock, passed, type Timer, toTimestamp } from '../../shared/clock.ts';
import { SystemError, toSystemError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import type { KeyDescription } from '../../shared/model/tenant.ts';
import type { StoredKey, StoredTenant, TenantStore } from '../executions/tenant-store.ts';
import { isKeyText } from './key-text.ts';
import { type Asker, type KeyRing, type Tenant, toAskingTenant, toTenant } from './keys.ts';

/** What a directory needs. */
export interface TenantDirectoryDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly store: TenantStore;
  /** Of the file. */
  readonly listed: KeyRing;
  /** What the file says when it has changed; SystemError when it makes no sense. */
  readonly reread?: () => KeyRing | null;
}

/** Numbers of a directory; milliseconds. */
export interface TenantDirectoryOptions {
  readonly keysRefreshMs: number;
  readonly keysGraceMs: number;
}

/** The store is looked at for unknown keys at most so often, and each of them is not looked for again for a while. */
const LOOK_MS = 250;
const UNKNOWN_MS = 5000;
const UNKNOWN_MAX = 10_000;
const USES_FLUSH_MS = 60_000;

/** See the head of this file. */
export class TenantDirectory implements KeyRing {
  readonly #deps: TenantDirectoryDeps;
  readonly #options: TenantDirectoryOptions;
  readonly #unknown = new LRUCache<string, number>({ max: UNKNOWN_MAX });
  #listed: KeyRing;
  #stored: ReadonlyMap<string, StoredTenant> = new Map();
  /** Of the store, as others see them. */
  #tenants: ReadonlyMap<string, Tenant> = new Map();
  #keys: readonly StoredKey[] = [];
  #byDigest: ReadonlyMap<string, Asker> = new Map();
  #version = -1;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #goodAtMs = Number.NEGATIVE_INFINITY;
  #refreshing: Promise<void> | null = null;
  #looking: Promise<void> | null = null;
  #uses = new Map<string, number>();
  #flushedAtMs = 0;
  #timer: Timer | null = null;
  #isStopped = false;
  #isTold = false;
  #changed: () => void = () => undefined;

  constructor(deps: TenantDirectoryDeps, options: TenantDirectoryOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#listed = deps.listed;
  }

  /** Tells the listener, the only one, when tenants or keys are others. */
  listen(changed: () => void): void {
    this.#changed = changed;
  }

  /** Reads the store, and again and again; SystemError `state-store-unavailable` when it can't be read now. */
  async start(): Promise<void> {
    this.#flushedAtMs = this.#deps.clock.monotonicMs();
    await this.readAgain();
    this.#schedule();
  }

  /** Writes down when keys were used. Idempotent. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#flushUses();
  }

  #schedule(): void {
    if (this.#isStopped) return;
    this.#timer = this.#deps.clock.after(this.#options.keysRefreshMs, () => {
      void this.#look()
        .then(() => this.#flushUses(USES_FLUSH_MS))
        .finally(() => this.#schedule());
    });
  }

  async #look(): Promise<void> {
    const { log, reread } = this.#deps;
    try {
      const listed = reread?.() ?? null;
      if (listed !== null) {
        this.#listed = listed;
        this.#rebuild();
        log.info({ tenants: listed.all().length }, 'tenants file read again');
      }
    } catch (error) {
      log.error({ reason: toSystemError(error).message }, 'tenants file not used');
    }
    await this.readAgain().catch((error: unknown) => {
      if (!this.#isTold) log.error({ reason: toSystemError(error).message }, 'tenants not read again');
      this.#isTold = true;
    });
  }

  /** Reads what the store has now, if it is not what we know; SystemError `state-store-unavailable`. */
  readAgain(): Promise<void> {
    // One that is under way may have asked before what made somebody ask.
    const before = this.#refreshing ?? Promise.resolve();
    const turn = before.catch(() => undefined).then(() => this.#read());
    this.#refreshing = turn;
    return turn;
  }

  async #read(): Promise<void> {
    const { clock, store } = this.#deps;
    this.#askedAtMs = clock.monotonicMs();
    const version = await store.version();
    if (version !== this.#version) {
      const view = await store.read();
      this.#version = view.version;
      this.#stored = new Map(view.tenants.map((tenant) => [tenant.id, tenant]));
      this.#keys = view.keys;
      this.#rebuild();
    }
    this.#goodAtMs = this.#askedAtMs;
    this.#isTold = false;
  }

  #rebuild(): void {
    const stored = [...this.#stored.values()];
    this.#tenants = new Map(stored.map(({ id, settings }) => [id, toTenant(id, settings)]));
    const byDigest = new Map<string, Asker>();
    for (const { id, tenantId, name, digest, scopes, expiresAtMs } of this.#keys) {
      if (!this.has(tenantId)) continue;
      const tenant = toAskingTenant(this.get(tenantId), scopes);
      byDigest.set(digest.slice('sha256:'.length), { tenant, key: { id, name, scopes, expiresAtMs } });
    }
    this.#byDigest = byDigest;
    this.#unknown.clear();
    this.#changed();
  }

  /** SystemError `unauthenticated` for a key that has expired, `state-store-unavailable` when nobody knows any more who has which key. */
  find(key: string): Asker | null {
    const listed = this.#listed.find(key);
    if (listed !== null || !isKeyText(key)) return listed;
    const asker = this.#byDigest.get(hash('sha256', key));
    if (asker === undefined) return null;
    const { clock } = this.#deps;
    const nowMs = clock.nowMs();
    const { id, expiresAtMs } = asker.key;
    if (expiresAtMs !== null && expiresAtMs <= nowMs)
      throw new SystemError('unauthenticated', `key ${id} has expired at ${toTimestamp(expiresAtMs)}; use another one`);
    if (clock.monotonicMs() - this.#goodAtMs > this.#options.keysGraceMs)
      throw new SystemError(
        'state-store-unavailable',
        'the store of keys was not reached for too long to trust this key',
      );
    this.#uses.set(id, nowMs);
    return asker;
  }

  /** Looks for a key that `find` does not know: it may have been issued a moment ago. */
  async lookFor(key: string): Promise<Asker | null> {
    const { clock } = this.#deps;
    if (!isKeyText(key)) return null;
    const digest = hash('sha256', key);
    if ((this.#unknown.get(digest) ?? 0) > clock.monotonicMs()) return null;
    await this.#lookSoon();
    const found = this.find(key);
    if (found === null) this.#unknown.set(digest, clock.monotonicMs() + UNKNOWN_MS);
    return found;
  }

  /** One question for all who wait, as soon as there may be another one. */
  #lookSoon(): Promise<void> {
    if (this.#looking !== null) return this.#looking;
    const { clock } = this.#deps;
    const waitMs = this.#askedAtMs + LOOK_MS - clock.monotonicMs();
    const waited = waitMs > 0 ? passed(clock, waitMs) : Promise.resolve();
    this.#looking = waited.then(() => {
      this.#looking = null;
      return this.readAgain();
    });
    return this.#looking;
  }

  has(id: string): boolean {
    return this.#listed.has(id) || this.#stored.has(id);
  }

  /** Does the file say what it is? */
  isListed(id: string): boolean {
    return this.#listed.has(id);
  }

  get(id: string): Tenant {
    const stored = this.#listed.has(id) ? undefined : this.#tenants.get(id);
    return stored ?? this.#listed.get(id);
  }

  /** When it was made; null for one of the file. */
  createdAtMs(id: string): number | null {
    return this.#listed.has(id) ? null : (this.#stored.get(id)?.createdAtMs ?? null);
  }

  all(): readonly Tenant[] {
    const stored = [...this.#stored.keys()].filter((id) => !this.#listed.has(id));
    return [...this.#listed.all(), ...stored.map((id) => this.get(id))];
  }

  keysOf(id: string): readonly KeyDescription[] {
    const toText = (ms: number | null) => (ms === null ? null : toTimestamp(ms));
    const stored = this.#keys.filter(({ tenantId }) => tenantId === id);
    return [
      ...this.#listed.keysOf(id),
      ...stored.map(({ id: keyId, name, scopes, createdAtMs, expiresAtMs, lastUsedAtMs }) => ({
        ...{ id: keyId, name, scopes: [...scopes] },
        ...{ createdAt: toTimestamp(createdAtMs), expiresAt: toText(expiresAtMs) },
        lastUsedAt: toText(this.#uses.get(keyId) ?? lastUsedAtMs),
      })),
    ];
  }

  /** Never rejects: what could not be written is written next time. */
  async #flushUses(everyMs = 0): Promise<void> {
    const { clock, store } = this.#deps;
    if (this.#uses.size === 0 || clock.monotonicMs() - this.#flushedAtMs < everyMs) return;
    const uses = this.#uses;
    this.#uses = new Map();
    this.#flushedAtMs = clock.monotonicMs();
    await store.keysUsed(uses).catch(() => {
      this.#uses = new Map([...uses, ...this.#uses]);
    });
    // What was written is read with the next change only.
    const used = (key: StoredKey) => ({ ...key, lastUsedAtMs: uses.get(key.id) ?? key.lastUsedAtMs });
    this.#keys = this.#keys.map(used);
  }
}
