/**
 * Owns tenants' webhook secrets and the signature of an attempt, by the Standard Webhooks scheme (standardwebhooks.com): HMAC-SHA256 over
 * `id.timestamp.payload`. A secret is derived from the instance key, the tenant and a generation number, which alone is stored.
 * Never keeps a secret. Invariant: the same tenant and generation give the same secret for as long as the instance key lives.
 */
import { createHmac } from 'node:crypto';
import type { SecretGeneration } from './delivery-store.ts';

/** What an attempt says about itself. */
export interface SignedAttempt {
  readonly id: string;
  /** Seconds since 1970. */
  readonly timestamp: number;
  readonly body: Uint8Array;
}

/** Secrets of all tenants of an instance. */
export class WebhookSecrets {
  readonly #key: Uint8Array;
  readonly #overlapMs: number;

  /** `key` is derived from the instance key, which all coordinators of a store have. */
  constructor(key: Uint8Array, { overlapMs }: { readonly overlapMs: number }) {
    this.#key = key;
    this.#overlapMs = overlapMs;
  }

  /** The 32 bytes of one generation. */
  #derive(tenantId: string, generation: number): Buffer {
    return createHmac('sha256', this.#key)
      .update(JSON.stringify([tenantId, generation]))
      .digest();
  }

  /** The present secret as receivers are given it. */
  textOf(tenantId: string, { generation }: SecretGeneration): string {
    return `whsec_${this.#derive(tenantId, generation).toString('base64')}`;
  }

  /** Until when the secret before this one signs as well; null: there was none. */
  previousUntilMs({ rotatedAtMs }: SecretGeneration): number | null {
    return rotatedAtMs === null ? null : rotatedAtMs + this.#overlapMs;
  }

  /** The header `webhook-signature`: by the present secret, and for a while by the one before. */
  sign(tenantId: string, known: SecretGeneration, nowMs: number, { id, timestamp, body }: SignedAttempt): string {
    const untilMs = this.previousUntilMs(known);
    const generations = [known.generation];
    if (untilMs !== null && nowMs < untilMs && known.generation > 1) generations.push(known.generation - 1);
    const signatures = generations.map((generation) => {
      const mac = createHmac('sha256', this.#derive(tenantId, generation)).update(`${id}.${timestamp}.`).update(body);
      return `v1,${mac.digest('base64')}`;
    });
    return signatures.join(' ');
  }
}
