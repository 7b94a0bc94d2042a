/**
 * Owns what the end of an execution promises its client: the delivery that is recorded with the final answer. Never records or sends it.
 */
import type { Clock, Random } from '../../shared/clock.ts';
import { createId } from '../../shared/ids.ts';
import type { ExecutionRequest } from '../../shared/model/execution.ts';
import type { NewDelivery } from './delivery-store.ts';
import { hostOf } from './receiver-rules.ts';

/** The delivery of a request that ends now; null when it asked for none. */
export function toPromised(
  { webhook }: Pick<ExecutionRequest, 'webhook'>,
  clock: Pick<Clock, 'nowMs'>,
  random: Random,
): NewDelivery | null {
  const url = webhook === undefined ? null : URL.parse(webhook.url);
  if (webhook === undefined || url === null) return null;
  return {
    ...{ id: createId('delivery', random), event: 'execution.finished', url: webhook.url, host: hostOf(url) },
    createdAtMs: clock.nowMs(),
  };
}
