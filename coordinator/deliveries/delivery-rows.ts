/**
 * Owns what the rows of deliveries and secrets mean, whichever engine keeps them: columns have the same names in all of them.
 * Never reads or writes a table.
 */
import type { DeliveryId, ExecutionId } from '../../shared/ids.ts';
import type { DeliveryState } from '../../shared/lifecycle/delivery.ts';
import { type Row, toNumberOrNull, toTextOrNull } from '../executions/rows.ts';
import type { Delivery, SecretGeneration } from './delivery-store.ts';

/** The columns of a delivery. */
export const DELIVERY =
  'id, tenant, execution, event, url, host, state, attempts, round, created_at, begun_at, next_at, last_at, last_status, last_error';

/** A delivery. */
export function toDelivery(row: Row): Delivery {
  return {
    id: String(row['id']) as DeliveryId,
    tenantId: String(row['tenant']),
    executionId: String(row['execution']) as ExecutionId,
    event: String(row['event']) as Delivery['event'],
    url: String(row['url']),
    host: String(row['host']),
    state: String(row['state']) as DeliveryState,
    attempts: Number(row['attempts']),
    round: Number(row['round']),
    createdAtMs: Number(row['created_at']),
    begunAtMs: Number(row['begun_at']),
    nextAtMs: toNumberOrNull(row['next_at']),
    lastAtMs: toNumberOrNull(row['last_at']),
    lastStatus: toNumberOrNull(row['last_status']),
    lastError: toTextOrNull(row['last_error']),
  };
}

/** The generation of a tenant's secret; a tenant without a row has its first. */
export function toSecretGeneration(row: Row | undefined): SecretGeneration {
  if (row === undefined) return { generation: 1, rotatedAtMs: null };
  return { generation: Number(row['generation']), rotatedAtMs: Number(row['rotated_at']) };
}
