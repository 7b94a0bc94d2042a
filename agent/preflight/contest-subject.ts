/**
 * Owns what contest requirements look at: a machine, a clock, and which processors belong to slots. Never looks at a setting of the kernel.
 */
import type { Clock } from '../../shared/clock.ts';
import { parseCpus, toSlotCpus } from '../execution/slot-cpus.ts';
import { type Machine, onlineCpus } from './machine.ts';

/** A machine that is to measure. */
export interface ContestSubject {
  readonly machine: Machine;
  readonly clock: Clock;
  /** Those that are online. */
  readonly online: readonly number[];
  /** Those on which programs run: of all slots, or all that are online when slots have none of their own. */
  readonly slotCpus: readonly number[];
  readonly isPinned: boolean;
}

/** The settings that say which processors belong to slots. */
export interface SlotSettings {
  readonly slots: number;
  readonly slotCpus: string;
}

/** The subject on this machine under these settings. */
export function toContestSubject(machine: Machine, clock: Clock, settings: SlotSettings): ContestSubject {
  const online = onlineCpus(machine) ?? [];
  const slots = settings.slots === 0 ? online.length : settings.slots;
  const lists = toSlotCpus(settings.slotCpus, slots, online).cpus ?? [];
  const own = lists.flatMap((list) => (list === null ? [] : (parseCpus(list) ?? [])));
  const isPinned = own.length > 0;
  return { machine, clock, online, slotCpus: isPinned ? own : online, isPinned };
}

/** Those that are online and belong to no slot. */
export function freeCpus({ online, slotCpus }: ContestSubject): readonly number[] {
  return online.filter((cpu) => !slotCpus.includes(cpu));
}

/** As the kernel writes it: `0-3,8`. */
export function toCpuList(cpus: readonly number[]): string {
  const ranges: { first: number; last: number }[] = [];
  for (const cpu of [...cpus].sort((a, b) => a - b)) {
    const range = ranges.at(-1);
    if (range !== undefined && cpu === range.last + 1) range.last = cpu;
    else ranges.push({ first: cpu, last: cpu });
  }
  return ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)).join(',');
}
