/**
 * Owns sending what is to be delivered for the tenants that this coordinator answers for: what is due, how much at once, and what becomes of it. Never
 * keeps in memory what waits, only what is under way: the store finds the rest.
 * Invariants: a delivery is under way once here, and counts as sent when that is recorded: before, a crash has it sent again, under the same id; of a
 * receiver, a host, a tenant and all together only so many are under way, and one at a time of a receiver that failed last.
 */
import { LRUCache } from 'lru-cache';
import { type Clock, passed, type Random, type Timer } from '../../shared/clock.ts';
import { SystemError, toSystemError } from '../../shared/errors.ts';
import type { DeliveryState } from '../../shared/lifecycle/delivery.ts';
import type { Logger } from '../../shared/logger.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { type ShardLease, shardOf } from '../executions/shard-store.ts';
import type { ExecutionStore } from '../executions/state-store.ts';
import { type Delivery, type DeliveryStore, type Except, receiverOf } from './delivery-store.ts';
import { toPayload } from './payload.ts';
import { toAttempted, toLost } from './schedule.ts';
import type { Outgoing, Sender } from './sender.ts';
import type { WebhookSecrets } from './signatures.ts';
import { Tally } from './tally.ts';

/** What deliveries need. */
export interface DeliveriesDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly store: DeliveryStore;
  readonly executions: Pick<ExecutionStore, 'get'>;
  readonly secrets: WebhookSecrets;
  readonly sender: Sender;
  readonly shards: {
    leaseFor(tenantId: string): ShardLease;
    /** Those that are ours. */
    readonly all: readonly number[];
  };
  /** Named in every attempt, as `user-agent`. */
  readonly release: string;
  /** What is sent, and how, where the execution was asked for by another protocol whose clients expect that; null: the native payload. */
  readonly translate?: (execution: Execution) => Pick<Outgoing, 'method' | 'body'> | null;
  /** Hears of every attempt that is recorded. */
  readonly attempted?: (outcome: 'taken' | 'refused', state: DeliveryState) => void;
}

/** Bounds of deliveries. */
export interface DeliveriesOptions {
  readonly webhooksAtOnceMax: number;
  readonly webhooksPerTenantMax: number;
  readonly webhookDeliveryDaysMax: number;
}

/** The header by which our own API knows a delivery, which is no request: so none ever causes another. */
export const DELIVERY_HEADER = 'envicutor-delivery';

const PER_RECEIVER_MAX = 4;
const PER_HOST_MAX = 32;
const STRUGGLING_MAX = 10_000;
const DAY_MS = 86_400_000;
/** Looked for at least so often, whatever was heard. */
const LOOK_MS_MAX = 60_000;
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 5000;
const SWEEP_MS = 3_600_000;
const FORGOTTEN_AT_ONCE_MAX = 1000;

function nothing(): void {
  // Whoever asked hears of it.
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

interface UnderWay {
  readonly delivery: Delivery;
  readonly gone: AbortController;
  readonly over: Promise<void>;
}

/** See the head of this file. */
export class Deliveries {
  readonly #deps: DeliveriesDeps;
  readonly #options: DeliveriesOptions;
  readonly #underWay = new Map<string, UnderWay>();
  readonly #tenants = new Tally();
  readonly #hosts = new Tally();
  readonly #receivers = new Tally();
  /** Receivers whose last attempt failed. */
  readonly #struggling = new LRUCache<string, true>({ max: STRUGGLING_MAX });
  #reading: Promise<void> = Promise.resolve();
  #looking: Promise<void> | null = null;
  #isAskedAgain = false;
  #timer: Timer | null = null;
  #sweepTimer: Timer | null = null;
  #isStopped = false;

  constructor(deps: DeliveriesDeps, options: DeliveriesOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Attempts that are under way. */
  get underWay(): number {
    return this.#underWay.size;
  }

  /** Tenants that have an attempt under way here. */
  tenants(): string[] {
    return [...this.#tenants.names()];
  }

  /** Begins to forget what was over long ago. */
  start(): void {
    this.#sweepTimer = this.#deps.clock.after(SWEEP_MS, () => {
      this.#sweep().catch((error: unknown) => this.#warn(error, 'deliveries not forgotten'));
      this.start();
    });
  }

  async #sweep(): Promise<void> {
    const { store, clock, shards } = this.#deps;
    const beforeMs = clock.nowMs() - this.#options.webhookDeliveryDaysMax * DAY_MS;
    while ((await store.forget(shards.all, beforeMs, FORGOTTEN_AT_ONCE_MAX)) === FORGOTTEN_AT_ONCE_MAX);
  }

  #warn(error: unknown, message: string): void {
    this.#deps.log.warn({ reason: toSystemError(error).message }, message);
  }

  /** Something may be due: looks, now or when the present look is over. */
  wake(): void {
    if (this.#isStopped) return;
    if (this.#looking !== null) {
      this.#isAskedAgain = true;
      return;
    }
    this.#timer?.cancel();
    this.#looking = this.#look()
      .catch((error: unknown) => {
        this.#warn(error, 'deliveries not looked for');
        return RETRY_MS_MAX;
      })
      .then((delayMs) => this.#looked(delayMs));
  }

  #looked(delayMs: number): void {
    this.#looking = null;
    if (this.#isStopped) return;
    if (this.#isAskedAgain) {
      this.#isAskedAgain = false;
      this.wake();
    } else this.#timer = this.#deps.clock.after(delayMs, () => this.wake());
  }

  /** Begins what is due and may be begun; resolves with when to look again. */
  async #look(): Promise<number> {
    const { store, clock, shards } = this.#deps;
    for (;;) {
      const room = this.#options.webhooksAtOnceMax - this.#underWay.size;
      // Whatever ends wakes.
      if (room <= 0 || this.#isStopped) return LOOK_MS_MAX;
      const due = await store.due(shards.all, clock.nowMs(), this.#except(), room);
      if (this.#isStopped) return LOOK_MS_MAX;
      for (const delivery of due) if (this.#mayBegin(delivery)) this.#begin(delivery);
      // What has just reached its bound hides nobody: what it stood before is looked for without it.
      if (due.length < room) break;
    }
    const nowMs = clock.nowMs();
    const nextAtMs = await store.nextAtMs(shards.all, nowMs);
    return nextAtMs === null ? LOOK_MS_MAX : Math.min(LOOK_MS_MAX, Math.max(1, nextAtMs - nowMs));
  }

  /** No tenant has more than is left: so whoever comes finds room, however many others have receivers that never answer. */
  get #tenantMax(): number {
    return Math.min(this.#options.webhooksPerTenantMax, this.#options.webhooksAtOnceMax - this.#underWay.size);
  }

  #roomOf(receiver: string): number {
    return this.#struggling.has(receiver) ? 1 : PER_RECEIVER_MAX;
  }

  #except(): Except {
    return {
      ids: [...this.#underWay.keys()],
      tenants: this.#tenants.names().filter((name) => this.#tenants.of(name) >= this.#tenantMax),
      hosts: this.#hosts.names().filter((name) => this.#hosts.of(name) >= PER_HOST_MAX),
      receivers: this.#receivers.names().filter((name) => this.#receivers.of(name) >= this.#roomOf(name)),
    };
  }

  #mayBegin(delivery: Delivery): boolean {
    const receiver = receiverOf(delivery);
    return (
      !this.#underWay.has(delivery.id) &&
      this.#tenants.of(delivery.tenantId) < this.#tenantMax &&
      this.#hosts.of(delivery.host) < PER_HOST_MAX &&
      this.#receivers.of(receiver) < this.#roomOf(receiver)
    );
  }

  #begin(delivery: Delivery): void {
    const gone = new AbortController();
    const receiver = receiverOf(delivery);
    this.#tenants.add(delivery.tenantId);
    this.#hosts.add(delivery.host);
    this.#receivers.add(receiver);
    const over = this.#attempt(delivery, gone.signal)
      .catch(async (error: unknown) => {
        this.#warn(error, 'delivery not attempted, or not recorded');
        // Found again at once it would fail again at once.
        if (!gone.signal.aborted) await Promise.race([passed(this.#deps.clock, RETRY_MS_MAX), aborted(gone.signal)]);
      })
      .then(() => {
        this.#underWay.delete(delivery.id);
        this.#tenants.remove(delivery.tenantId);
        this.#hosts.remove(delivery.host);
        this.#receivers.remove(receiver);
        this.wake();
      });
    this.#underWay.set(delivery.id, { delivery, gone, over });
  }

  async #attempt(delivery: Delivery, gone: AbortSignal): Promise<void> {
    const { shards, sender, clock, random } = this.#deps;
    // Nothing is sent for a tenant that somebody else answers for.
    shards.leaseFor(delivery.tenantId);
    const outgoing = await this.#toOutgoing(delivery);
    if (gone.aborted) return;
    if (outgoing === null) {
      await this.#record(delivery, toLost(delivery, clock.nowMs()));
      return;
    }
    const sent = await sender.send(outgoing, gone);
    // What was given up has told nothing; what was told is recorded, though it may be somebody else's to send by now.
    if (gone.aborted && sent.error !== null) return;
    const receiver = receiverOf(delivery);
    if (sent.error === null) this.#struggling.delete(receiver);
    else this.#struggling.set(receiver, true);
    await this.#record(delivery, toAttempted(delivery, sent, clock.nowMs(), random));
  }

  /** One after the other: an answer may be large before it is a payload. */
  #toOutgoing(delivery: Delivery): Promise<Outgoing | null> {
    const outgoing = this.#reading.then(() => this.#read(delivery));
    this.#reading = outgoing.then(nothing, nothing);
    return outgoing;
  }

  async #read(delivery: Delivery): Promise<Outgoing | null> {
    const { clock, store, executions, secrets, release, translate } = this.#deps;
    const { id, tenantId, executionId, url } = delivery;
    const [execution, known] = await Promise.all([executions.get(tenantId, executionId), store.secretOf(tenantId)]);
    if (execution === null) return null;
    const { method, body } = translate?.(execution) ?? { method: 'POST', body: toPayload(delivery, execution) };
    const timestamp = Math.floor(clock.nowMs() / 1000);
    const headers = {
      ...{ 'content-type': 'application/json', 'user-agent': `Envicutor/${release}`, [DELIVERY_HEADER]: '1' },
      ...{ 'webhook-id': id, 'webhook-timestamp': String(timestamp) },
      'webhook-signature': secrets.sign(tenantId, known, clock.nowMs(), { id, timestamp, body }),
    };
    return { method, url, headers, body };
  }

  /** However long the store is away: as long as it is not recorded, nobody else begins it, and it is not begun again here. */
  async #record(delivery: Delivery, outcome: ReturnType<typeof toAttempted>): Promise<void> {
    const { clock, log, store, shards, attempted } = this.#deps;
    const { id, tenantId, executionId, host } = delivery;
    for (let delayMs = RETRY_MS_MIN; !this.#isStopped; delayMs = Math.min(2 * delayMs, RETRY_MS_MAX)) {
      try {
        await store.attempted(id, outcome, shards.leaseFor(tenantId));
        const { state, lastStatus: status, lastError: reason } = outcome;
        log.debug({ deliveryId: id, executionId, tenantId, host, state, status, reason }, 'delivery attempted');
        attempted?.(reason === null ? 'taken' : 'refused', state);
        return;
      } catch (error) {
        if (!(error instanceof SystemError && error.code === 'state-store-unavailable')) throw error;
        await passed(clock, delayMs);
      }
    }
  }

  /** These shards are somebody else's: what is under way for them is theirs to send. */
  letGo(shards: readonly number[]): void {
    const lost = new Set(shards);
    for (const { delivery, gone } of this.#underWay.values()) {
      if (lost.has(shardOf(delivery.tenantId))) gone.abort();
    }
  }

  /** Gives up what is under way, for whoever comes next; resolves when nothing is. Idempotent. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#sweepTimer?.cancel();
    for (const { gone } of this.#underWay.values()) gone.abort();
    await this.#looking;
    await Promise.all([...this.#underWay.values()].map(({ over }) => over));
  }
}
