/**
 * Owns how much of a processor a process uses, by /proc: user and system time of all its threads. Never asks the process itself.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

/** The kernel counts in hundredths of a second, on every architecture that we run on. */
export const TICK_MS = 10;

/** What a process has used since it started, and what those had used that it waited for; milliseconds. */
export interface ProcessTime {
  readonly own: number;
  readonly inherited: number;
}

/** By the text of its `stat`; zeroes by no text. */
export function toProcessTime(stat: string): ProcessTime {
  // The name of the program may hold spaces: what follows it is counted.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const at = (index: number) => Number(fields[index] ?? 0) * TICK_MS;
  return { own: at(11) + at(12), inherited: at(13) + at(14) };
}

/** What a process has used since it started; milliseconds. Throws when it is gone. */
export function cpuMs(pid: number): number {
  return toProcessTime(readFileSync(`/proc/${pid}/stat`, 'utf8')).own;
}

/** The share of one processor that a process uses during this time; hundredths. */
export async function cpuPercent(pid: number, windowMs: number): Promise<number> {
  const [from, used] = [performance.now(), cpuMs(pid)];
  await pause(windowMs);
  return (100 * (cpuMs(pid) - used)) / (performance.now() - from);
}
