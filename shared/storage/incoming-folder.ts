/**
 * Owns the names of files that are being written and the removal of those whose writer died.
 * Never touches the file of a living process, so any number of writers may share the folder.
 * Invariant: a name says which process made it (pid and start time), so one that the kernel has reused is not mistaken for it.
 * All writers must be of one pid namespace; a writer whose file is taken away fails, it never publishes half of it.
 */
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemRandom } from '../clock.ts';
import { toBase32 } from '../ids.ts';

/** A fresh path in `folder` that names this process as its writer. */
export async function createIncomingPath(folder: string): Promise<string> {
  return join(folder, `${process.pid}-${await startTicksOf(process.pid)}-${toBase32(systemRandom.bytes(10))}`);
}

/** Removes what dead processes left in `folder`; returns how many files that were. */
export async function sweepIncoming(folder: string): Promise<number> {
  let removed = 0;
  for (const name of await readdir(folder)) {
    const [pid, startTicks] = name.split('-');
    if ((await startTicksOf(Number(pid))) === startTicks) continue;
    await rm(join(folder, name), { force: true });
    removed += 1;
  }
  return removed;
}

/** When a process started, in clock ticks since boot; null when there is none. */
async function startTicksOf(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  // The second field is the program's name in parentheses and may hold anything; the 22nd is the start time.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
}
