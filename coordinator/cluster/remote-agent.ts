/**
 * Owns an agent as it is shown where it is not connected: what its coordinator says of it. Never changes one.
 */
import type { Static } from '@sinclair/typebox';
import type { FleetAgent } from '../agents/fleet.ts';
import type { ConnectedAgent } from './peer-messages.ts';

export type RemoteAgent = Static<typeof ConnectedAgent>;

/** A connected agent, as it is told to others. */
export function describeAgent({ facts, slots, freeSlots, layers, connectedAtMs }: FleetAgent): RemoteAgent {
  return {
    facts: { ...facts, labels: { ...facts.labels } },
    ...{ slots, freeSlots, layers: layers.size, connectedAtMs },
  };
}
