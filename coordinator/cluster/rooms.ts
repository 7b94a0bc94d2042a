/**
 * Owns what room agents have, by what they are: ours, counted, and that of others, as they said. Pure.
 * Never decides who gets it.
 */
import type { Static } from '@sinclair/typebox';
import type { Fleet } from '../agents/fleet.ts';
import { fits } from '../scheduler/fleet-index.ts';
import type { PlacementDemand } from '../scheduler/placement.ts';
import type { Room as RoomSchema } from './peer-messages.ts';

export type Room = Static<typeof RoomSchema>;

/** Slots that a demand could have, and those of them that are free. */
export interface Space {
  readonly slots: number;
  readonly free: number;
}

/** The room of all agents that are connected here. */
export function countRooms({ index }: Pick<Fleet, 'index'>): Room[] {
  return [...index.groups()].map(({ architecture, pool, labels, exclusiveCores, all }) => {
    let slots = 0;
    let free = 0;
    let memoryBytesMax = 0;
    for (const agent of all) {
      slots += agent.slots;
      free += agent.freeSlots;
      memoryBytesMax = Math.max(memoryBytesMax, agent.offeredMemoryBytes);
    }
    return {
      ...{ architecture, pool, labels: { ...labels }, exclusiveCores, slots, free },
      memoryBytesMax: Number.isFinite(memoryBytesMax) ? memoryBytesMax : null,
    };
  });
}

/** The rooms that a demand could have. */
export function roomsFor(rooms: readonly Room[], { constraints, memoryBytes }: PlacementDemand): Room[] {
  return rooms.filter(
    (room) => fits(room, constraints) && (room.memoryBytesMax === null || room.memoryBytesMax >= memoryBytes),
  );
}

/** Their sums. */
export function sumRooms(rooms: readonly Room[]): Space {
  let slots = 0;
  let free = 0;
  for (const room of rooms) {
    slots += room.slots;
    free += room.free;
  }
  return { slots, free };
}
