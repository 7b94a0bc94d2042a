/**
 * Owns what tenants see and order of their webhooks: deliveries, sending one again, the secret and its successor. Never sends: it wakes who does.
 */
import { type Clock, toTimestamp } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import type { DeliveryAnswer, WebhookSecretAnswer } from '../../shared/model/webhook.ts';
import type { Page } from '../executions/page.ts';
import type { ShardLease } from '../executions/shard-store.ts';
import type { ExecutionStore } from '../executions/state-store.ts';
import type { Deliveries } from './deliveries.ts';
import type { Delivery, DeliveryStore, SecretGeneration } from './delivery-store.ts';
import type { WebhookSecrets } from './signatures.ts';

/** What it needs. */
export interface WebhooksDeps {
  readonly clock: Clock;
  readonly store: DeliveryStore;
  readonly executions: Pick<ExecutionStore, 'get'>;
  readonly secrets: WebhookSecrets;
  readonly shards: { leaseFor(tenantId: string): ShardLease };
  readonly deliveries: Pick<Deliveries, 'wake'>;
}

const toTime = (ms: number | null): string | null => (ms === null ? null : toTimestamp(ms));

function toAnswer(delivery: Delivery): DeliveryAnswer {
  const { id, executionId, event, url, state, attempts, lastStatus, lastError } = delivery;
  return {
    ...{ id, execution: executionId, event, url, state, attempts, lastStatus, lastError },
    ...{ lastAttemptAt: toTime(delivery.lastAtMs), nextAttemptAt: toTime(delivery.nextAtMs) },
    createdAt: toTimestamp(delivery.createdAtMs),
  };
}

function toNotFound(id: string): SystemError {
  return new SystemError('not-found', `there is no delivery ${id}, or it was forgotten`);
}

/** See the head of this file. */
export class Webhooks {
  readonly #deps: WebhooksDeps;

  constructor(deps: WebhooksDeps) {
    this.#deps = deps;
  }

  /** Newest first; of one execution, or of all. */
  async list(
    tenantId: string,
    executionId: string | null,
    cursor: number | null,
    limit: number,
  ): Promise<Page<DeliveryAnswer>> {
    const { items, next } = await this.#deps.store.list(tenantId, executionId, cursor, limit);
    return { items: items.map(toAnswer), next };
  }

  /** SystemError `not-found`. */
  async get(tenantId: string, id: string): Promise<DeliveryAnswer> {
    const delivery = await this.#deps.store.get(tenantId, id);
    if (delivery === null) throw toNotFound(id);
    return toAnswer(delivery);
  }

  /** Has it sent again, whatever became of it, for a day from now; SystemError `not-found`, or `conflict` when its execution is gone. */
  async replay(tenantId: string, id: string): Promise<DeliveryAnswer> {
    const { store, executions, clock, shards, deliveries } = this.#deps;
    const known = await store.get(tenantId, id);
    if (known === null) throw toNotFound(id);
    if ((await executions.get(tenantId, known.executionId)) === null) {
      throw new SystemError('conflict', `execution ${known.executionId} was deleted: there is nothing to send`);
    }
    const delivery = await store.replay(tenantId, id, clock.nowMs(), shards.leaseFor(tenantId));
    if (delivery === null) throw toNotFound(id);
    deliveries.wake();
    return toAnswer(delivery);
  }

  #toSecret(tenantId: string, known: SecretGeneration): WebhookSecretAnswer {
    const { secrets, clock } = this.#deps;
    const untilMs = secrets.previousUntilMs(known);
    return {
      secret: secrets.textOf(tenantId, known),
      generation: known.generation,
      rotatedAt: toTime(known.rotatedAtMs),
      previousUntil: untilMs !== null && untilMs > clock.nowMs() ? toTimestamp(untilMs) : null,
    };
  }

  async secret(tenantId: string): Promise<WebhookSecretAnswer> {
    return this.#toSecret(tenantId, await this.#deps.store.secretOf(tenantId));
  }

  /** Another secret from now on; the one before signs as well for a while. */
  async rotate(tenantId: string): Promise<WebhookSecretAnswer> {
    const { store, clock, shards } = this.#deps;
    return this.#toSecret(tenantId, await store.rotate(tenantId, clock.nowMs(), shards.leaseFor(tenantId)));
  }
}
