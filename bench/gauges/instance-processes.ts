/**
 * Owns which processes a private instance has, by role, and what they hold: memory, descriptors, cgroups, mounts, bytes on the disk.
 * Never asks a process: it looks from outside, by /proc and the folders of the instance.
 * Invariant: a launcher is itself; the sandboxes that it prepared are its descendants and counted apart.
 */
import { type Dirent, existsSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { PrivateInstance } from '../../ops/local/private-instance.ts';
import { commandOf, parentOf, processIds, readText } from './proc.ts';

const CGROUPS = '/sys/fs/cgroup';

/** Processes that are there as long as the instance is. */
export const processRoles = [
  'coordinator',
  'agent',
  'builder',
  'verifier',
  "agent's launcher",
  "builder's launcher",
] as const;
export type ProcessRole = (typeof processRoles)[number];

/** The launcher whose store this is; what it forks has the same command line. */
function launcherOf(store: string): number {
  const isOne = (pid: number) => commandOf(pid).includes(`\0${store}\0`);
  const found = processIds().find((pid) => isOne(pid) && !isOne(parentOf(pid)));
  if (found === undefined) throw new Error(`no launcher has its store in ${store}`);
  return found;
}

/** The id of each of an instance's processes, at this moment. */
export function processesOf(instance: PrivateInstance): ReadonlyMap<ProcessRole, number> {
  return new Map<ProcessRole, number>([
    ['coordinator', instance.processId('coordinator/main.ts')],
    ['agent', instance.processId('agent/main.ts')],
    ['builder', instance.processId('coordinator/builder/main.ts')],
    ['verifier', instance.processId('coordinator/environments/verifier/main.ts')],
    ["agent's launcher", launcherOf(join(instance.stateDirectory, 'agent-layers'))],
    ["builder's launcher", launcherOf(join(instance.stateDirectory, 'builder-layers'))],
  ]);
}

/** How many descriptors a process has open; 0 when it is gone. */
export function descriptorsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}

/** How many mounts a process sees: all of its instance's, since that has a mount namespace of its own. */
export function mountsOf(pid: number): number {
  return readText(`/proc/${pid}/mountinfo`).split('\n').length - 1;
}

function directoriesBelow(folder: string): string[] {
  let entries: Dirent[];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    // A cgroup that ended meanwhile.
    return [];
  }
  return entries
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => [name, ...directoriesBelow(join(folder, name)).map((below) => `${name}/${below}`)]);
}

/** The cgroups below those of the instance's launchers; one that several hierarchies have counts once. */
export function cgroupsOf({ port }: PrivateInstance): string[] {
  const hierarchies = ['', ...readdirSync(CGROUPS)].map((name) => join(CGROUPS, name));
  const roots = ['agent', 'builder'].map((client) => `envicutor-${port}-${client}`);
  const found = roots.flatMap((root) =>
    hierarchies
      .filter((hierarchy) => existsSync(join(hierarchy, root)))
      .flatMap((hierarchy) => directoriesBelow(join(hierarchy, root)).map((below) => `${root}/${below}`)),
  );
  return [...new Set(found)];
}

/** Bytes that files below a folder take on the disk; what is mounted there is left out. */
export function diskBytesOf(folder: string): number {
  const device = lstatSync(folder).dev;
  const below = (path: string): number => {
    try {
      const { dev, blocks, ino } = lstatSync(path);
      if (dev !== device || ino === 0) return 0;
      const isFolder = lstatSync(path).isDirectory();
      return blocks * 512 + (isFolder ? readdirSync(path).reduce((sum, name) => sum + below(join(path, name)), 0) : 0);
    } catch {
      // It went while it was looked at.
      return 0;
    }
  };
  return below(folder);
}
