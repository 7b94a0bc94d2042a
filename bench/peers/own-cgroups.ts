/**
 * Owns the removal of control groups that a rival has made below one of ours, in whatever hierarchies this machine has.
 * Never touches a group of another name.
 */
import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const PATIENCE_MS = 5000;

/** Where the hierarchies are mounted. */
function hierarchies(): string[] {
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  return mounts.flatMap((line) => {
    const [, place, kind] = line.split(' ');
    return place !== undefined && (kind === 'cgroup' || kind === 'cgroup2') ? [place] : [];
  });
}

/** Is the machine's unified hierarchy a second one, beside those of v1? */
export function isHybrid(): boolean {
  return hierarchies().includes('/sys/fs/cgroup/unified');
}

function removeTree(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) removeTree(join(folder, entry.name));
  rmdirSync(folder);
}

/** Removes the group `name` and what is below it; a group of processes that are just ending is waited for. */
export async function removeCgroups(name: string): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  for (const folder of hierarchies().map((place) => join(place, name))) {
    while (existsSync(folder)) {
      try {
        removeTree(folder);
      } catch (error) {
        if (performance.now() > until) throw error;
        await pause(20);
      }
    }
  }
}
