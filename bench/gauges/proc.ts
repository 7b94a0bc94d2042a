/**
 * Owns reading what /proc says of processes. Never fails for one that is gone: nothing is said of it then.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** The text of a file, or nothing. */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** The ids of all processes that we may see. */
export function processIds(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** The words of a process's command, each ended by a zero byte. */
export function commandOf(pid: number): string {
  return readText(`/proc/${pid}/cmdline`);
}

/** The id of its parent; 0 when it is gone. */
export function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)/m.exec(readText(`/proc/${pid}/status`))?.[1] ?? 0);
}
