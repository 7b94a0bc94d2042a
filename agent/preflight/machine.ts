/**
 * Owns the port to what preflight looks at: files of /proc and /sys, and the room of file systems; and its adapter, which may look at a folder
 * as if it were the machine. Never interprets a file. Invariant: what is written was there already; no file is ever made.
 */
import { closeSync, constants, openSync, readdirSync, readFileSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { parseCpus } from '../execution/slot-cpus.ts';

/** A file system's room; bytes. */
export interface Room {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** A machine as preflight sees it. */
export interface Machine {
  /** The text of a file; null when it is not there, or can't be read. */
  read(path: string): string | null;
  /** The names in a folder; none when it is not there. */
  list(path: string): readonly string[];
  /** Makes an existing file hold this text; throws the file system's error. */
  write(path: string, text: string): void;
  /** The room where this path lies; null when it can't be told. */
  room(path: string): Room | null;
}

/** The machine itself, or one whose files lie below `root`. */
export function machineAt(root = '/'): Machine {
  return {
    read: (path) => orNull(() => readFileSync(join(root, path), 'utf8')),
    list: (path) => orNull(() => readdirSync(join(root, path)).sort()) ?? [],
    write: (path, text) => overwrite(join(root, path), text),
    room: (path) =>
      orNull(() => {
        const { bavail, blocks, bsize } = statfsSync(join(root, path));
        return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
      }),
  };
}

function orNull<Value>(look: () => Value): Value | null {
  try {
    return look();
  } catch {
    return null;
  }
}

function overwrite(path: string, text: string): void {
  const file = openSync(path, constants.O_WRONLY | constants.O_TRUNC);
  try {
    writeSync(file, text);
  } finally {
    closeSync(file);
  }
}

/** The numbers of the processors that are online; null when the machine does not tell. */
export function onlineCpus(machine: Machine): readonly number[] | null {
  return parseCpus(machine.read('/sys/devices/system/cpu/online') ?? '');
}

/** The kernel's release, such as `6.12.1-amd64`; null when the machine does not tell. */
export function kernelRelease(machine: Machine): string | null {
  return machine.read('/proc/sys/kernel/osrelease')?.trim() ?? null;
}
