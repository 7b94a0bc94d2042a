/**
 * What a launcher that was killed could leave: processes of its sandboxes, locks of id ranges, what it was removing or making. Reads only.
 * Never counts its successor's own: those descend from it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { descendantsOf } from './launcher-vitals.ts';
import type { RealLauncher } from './real-launcher.ts';

/** Where a launcher is, whoever started it. */
type PlacedLauncher = Pick<RealLauncher, 'processId' | 'cgroup' | 'socketPath' | 'folder'>;

/** Sentences about what is left of the launchers with these process ids; none when all is well. */
export function leftBehind(launcher: PlacedLauncher, killed: readonly number[]): string[] {
  const own = new Set([launcher.processId, ...descendantsOf(launcher.processId)]);
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && !own.has(Number(name)))
    .filter((name) => belongs(name, launcher))
    .map((name) => `process ${name}: ${read(`/proc/${name}/cmdline`).replaceAll('\0', ' ')}`);
  // A lock names who took it; whoever else holds it still was the killed one's. A number that lives is somebody new's.
  const locks = read('/proc/locks')
    .split('\n')
    .filter((line) => line.includes('FLOCK'))
    .filter((line) =>
      killed.some((id) => Number(line.trim().split(/\s+/)[4]) === id && read(`/proc/${id}/stat`) === ''),
    );
  const unfinished = ['incoming', 'trash'].flatMap((name) =>
    readdirSync(join(launcher.folder, 'store', name)).map((file) => `${name}/${file}`),
  );
  return [...processes, ...locks.map((line) => `lock ${line}`), ...unfinished];
}

/** Our init and payload keep the launcher's words; a program is known by its cgroup. */
function belongs(name: string, launcher: PlacedLauncher): boolean {
  if (read(`/proc/${name}/stat`).includes(') Z ')) return false;
  const ofLauncher = read(`/proc/${name}/cmdline`).includes(launcher.socketPath);
  return ofLauncher || read(`/proc/${name}/cgroup`).includes(`/envicutor-${launcher.cgroup}/`);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // it ended while we looked
  }
}
