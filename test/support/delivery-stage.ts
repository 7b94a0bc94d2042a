/**
 * Owns deliveries for tests: the real ones on a real SQLite file, under virtual time, with receivers that a test answers for. No sockets.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { Deliveries, type DeliveriesDeps, type DeliveriesOptions } from '../../coordinator/deliveries/deliveries.ts';
import type { NewDelivery } from '../../coordinator/deliveries/delivery-store.ts';
import type { Sent } from '../../coordinator/deliveries/schedule.ts';
import type { Outgoing } from '../../coordinator/deliveries/sender.ts';
import { WebhookSecrets } from '../../coordinator/deliveries/signatures.ts';
import { openSqliteStateStore } from '../../coordinator/executions/sqlite-state-store.ts';
import { systemRandom } from '../../shared/clock.ts';
import { silentLogger } from '../../shared/logger.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { takeLeases } from './state-engines.ts';
import { VirtualClock } from './virtual-clock.ts';

/** An attempt that has no answer yet. */
export interface Attempt extends Outgoing {
  readonly id: string;
  readonly host: string;
  answer(status: number): void;
  readonly isGone: boolean;
}

/** A receiver's answer. */
export function answered(status: number): Sent {
  const isTaken = status >= 200 && status < 300;
  return { status, error: isTaken ? null : `the receiver answered ${status}`, retryAfterMs: null };
}

/** Deliveries of one process on a store that outlives it; `open` has the attempts that wait for their answers. */
export class DeliveryStage {
  readonly clock = new VirtualClock();
  readonly open: Attempt[] = [];
  readonly folder = mkdtempSync(join(tmpdir(), 'envicutor-deliveries-'));
  readonly store = openSqliteStateStore(join(this.folder, 'state.sqlite'));
  readonly options = { webhooksAtOnceMax: 20, webhooksPerTenantMax: 8, webhookDeliveryDaysMax: 1 };
  #count = 0;
  #member = 0;

  /** Whoever comes now is another member: those that were made before have lost their shards. */
  takeOver(): void {
    this.#member += 1;
  }

  /** Those of the present member; changes are a test's. */
  async deliveries(changes: Partial<DeliveriesDeps> = {}, options: Partial<DeliveriesOptions> = {}) {
    const leaseOf = await takeLeases(this.store, `m${this.#member}`);
    const shards = { leaseFor: leaseOf, all: Array.from({ length: 64 }, (_, shard) => shard) };
    const deps: DeliveriesDeps = {
      ...{ clock: this.clock, random: { ...systemRandom, next: () => 0.5 }, log: silentLogger },
      ...{ store: this.store.deliveries, executions: this.store.executions, shards, release: '0' },
      secrets: new WebhookSecrets(Buffer.alloc(32, 'k'), { overlapMs: 1000 }),
      sender: { send: (outgoing, signal) => this.#send(outgoing, signal) },
      ...changes,
    };
    return new Deliveries(deps, { ...this.options, ...options });
  }

  #send(outgoing: Outgoing, signal: AbortSignal): Promise<Sent> {
    const { promise, resolve } = Promise.withResolvers<Sent>();
    const attempt = {
      ...{ ...outgoing, id: outgoing.headers['webhook-id'] ?? '', host: new URL(outgoing.url).hostname, isGone: false },
      answer: (status: number) => {
        this.open.splice(this.open.indexOf(attempt), 1);
        resolve(answered(status));
      },
    };
    signal.addEventListener('abort', () => {
      attempt.isGone = true;
      resolve({ status: null, error: 'given up', retryAfterMs: null });
    });
    this.open.push(attempt);
    return promise;
  }

  /** Executions that have ended and promise deliveries to these hosts, now; the ids. */
  async promise(hosts: readonly string[], tenantId = 'one'): Promise<string[]> {
    const leaseOf = await takeLeases(this.store, `m${this.#member}`);
    const nowMs = this.clock.nowMs();
    const deliveries = hosts.map((host): NewDelivery => {
      const id = `delivery_${this.#count++}` as const;
      return { id, event: 'execution.finished', url: `https://${host}/`, host, createdAtMs: nowMs };
    });
    await Promise.all(
      deliveries.map(async (delivery) => {
        const answer = { id: `exec_of_${delivery.id}`, stage: 'finished', finishedAt: 'then' } as unknown as Execution;
        const request = { environment: 'env_00000000', run: { script: 'true' } };
        await this.store.executions.accept({ tenantId, answer, request, idempotency: null }, leaseOf(tenantId));
        await this.store.executions.finish(answer, leaseOf(tenantId), delivery);
      }),
    );
    return deliveries.map(({ id }) => id);
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    for (let index = 0; index < 30; index += 1) await turn();
  }

  async end(): Promise<void> {
    await this.store.close();
    rmSync(this.folder, { recursive: true });
  }
}
