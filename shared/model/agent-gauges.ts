/**
 * Owns what an agent counts of its own layers and disk, as its report tells it and metrics show it.
 * Never what the launcher counts (sandbox-gauges).
 */
import { type Static, Type } from '@sinclair/typebox';
import { Closed } from './closed.ts';

const count = (description: string) => Type.Integer({ minimum: 0, description });

/** One agent's counts; the first four since its process began, the others of this moment. */
export const AgentCounts = Closed({
  hits: count('Layers that were there when somebody wanted them.'),
  misses: count('Layers that had to be fetched.'),
  evictions: count('Layers that went to make room.'),
  fetchedBytes: count('Bytes of blobs that were fetched.'),
  layerBytes: count('Weight of the layers that are there.'),
  diskBytes: count('Size of the disk of its state.'),
  diskFreeBytes: count('Of it, free for this agent.'),
});
export type AgentCounts = Static<typeof AgentCounts>;
