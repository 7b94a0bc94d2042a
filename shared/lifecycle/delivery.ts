/**
 * Owns the states of a webhook's delivery and what moves it between them.
 * waiting: for its first attempt or the next · delivered: its receiver has taken it (2xx) · gone: its receiver wants it no more (410) · exhausted: a day of
 * attempts is over. Whatever it is, its tenant may have it sent again.
 */
import { Lifecycle } from './lifecycle.ts';

export const deliveryStates = ['waiting', 'delivered', 'gone', 'exhausted'] as const;
export type DeliveryState = (typeof deliveryStates)[number];

export type DeliveryCause = 'taken' | 'failed' | 'refused' | 'ran-out' | 'replayed';

// biome-ignore format: a transition table is read by column
export const deliveryLifecycle = new Lifecycle<DeliveryState, DeliveryCause>('delivery', {
  waiting:   { taken: 'delivered', failed: 'waiting', refused: 'gone', 'ran-out': 'exhausted', replayed: 'waiting' },
  delivered: { replayed: 'waiting' },
  gone:      { replayed: 'waiting' },
  exhausted: { replayed: 'waiting' },
});
