/**
 * Owns what room agents have, by what they are: ours, counted, and that of others, as they said; and how much of it a demand may have by what the
 * pools' owners say. Pure but for the hour.
 * Never decides who gets it.
 */
import type { Static } from '@sinclair/typebox';
import type { Fleet } from '../agents/fleet.ts';
import { isHad, type Standing } from '../pools/pool-access.ts';
import type { PoolGate } from '../pools/pool-gate.ts';
import type { PoolShare } from '../scheduler/chooser.ts';
import { fits } from '../scheduler/fleet-index.ts';
import type { Demand } from '../scheduler/scheduler.ts';
import type { Room as RoomSchema } from './peer-messages.ts';

export type Room = Static<typeof RoomSchema>;

/** What of a demand decides about rooms. */
export type RoomDemand = Pick<Demand, 'constraints' | 'memoryBytes' | 'site'>;

/** Slots that a demand could have, those of them that are free, and those of these in pools of its tenant's own. */
export interface Space {
  readonly slots: number;
  readonly free: number;
  readonly freeAtHome: number;
}

export const noSpace: Space = { slots: 0, free: 0, freeAtHome: 0 };

/** The room of all agents that are connected here. */
export function countRooms(
  { index }: Pick<Fleet, 'index'>,
  shares: { shareOf(pool: string): PoolShare | null },
): Room[] {
  return [...index.groups()].map(({ architecture, pool, labels, exclusiveCores, understands, all }) => {
    let slots = 0;
    let free = 0;
    let memoryBytesMax = 0;
    for (const agent of all) {
      slots += agent.slots;
      free += agent.freeSlots;
      memoryBytesMax = Math.max(memoryBytesMax, agent.offeredMemoryBytes);
    }
    const share = shares.shareOf(pool);
    return {
      ...{ architecture, pool, labels: { ...labels }, exclusiveCores, slots, free },
      understands: [...understands],
      memoryBytesMax: Number.isFinite(memoryBytesMax) ? memoryBytesMax : null,
      shared: share && { slots: Math.min(slots, share.slots), free: Math.min(free, share.free) },
    };
  });
}

/** How a demand stands to a room now; null: it can't have it. */
function standingIn(room: Room, { constraints, memoryBytes, site }: RoomDemand, pools: PoolGate): Standing | null {
  if (
    !fits({ ...room, understands: room.understands ?? [] }, constraints) ||
    (room.memoryBytesMax !== null && room.memoryBytesMax < memoryBytes)
  )
    return null;
  const standing = pools.accessOf(site).standingOf(room.pool);
  if (!isHad(standing)) return null;
  return standing === 'limited' && !pools.isWithinHours(room.pool) ? null : standing;
}

/** What of a room may be had with this standing. */
function partOf(room: Room, standing: Standing): { slots: number; free: number } {
  return standing === 'limited' && room.shared !== null ? room.shared : room;
}

/** What a demand could have of these rooms. */
export function spaceIn(rooms: readonly Room[], demand: RoomDemand, pools: PoolGate): Space {
  let [slots, free, freeAtHome] = [0, 0, 0];
  for (const room of rooms) {
    const standing = standingIn(room, demand, pools);
    if (standing === null) continue;
    const part = partOf(room, standing);
    slots += part.slots;
    free += part.free;
    if (standing === 'own') freeAtHome += part.free;
  }
  return { slots, free, freeAtHome };
}

/** Takes one free slot for a demand; false when there is none. */
export function takeRoom(rooms: readonly Room[], demand: RoomDemand, pools: PoolGate): boolean {
  for (const room of rooms) {
    const standing = standingIn(room, demand, pools);
    if (standing === null || partOf(room, standing).free <= 0) continue;
    room.free -= 1;
    if (room.shared !== null && standing === 'limited') room.shared.free -= 1;
    return true;
  }
  return false;
}
