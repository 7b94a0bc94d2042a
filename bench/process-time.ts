/**
 * Owns how much of a processor a process uses, by /proc: user and system time of all its threads. Never asks the process itself.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

/** The kernel counts in hundredths of a second, on every architecture that we run on. */
const TICK_MS = 10;

/** What a process has used since it started; milliseconds. */
export function cpuMs(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name of the program may hold spaces: what follows it is counted.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** The share of one processor that a process uses during this time; hundredths. */
export async function cpuPercent(pid: number, windowMs: number): Promise<number> {
  const [from, used] = [performance.now(), cpuMs(pid)];
  await pause(windowMs);
  return (100 * (cpuMs(pid) - used)) / (performance.now() - from);
}
