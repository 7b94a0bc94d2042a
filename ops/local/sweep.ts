/**
 * Owns removing what an instance leaves on the host when all its processes are dead: its empty cgroups.
 * Never touches the state directory, nor anything of another instance: every name carries the port.
 */
import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from './settings.ts';

const TRIES_MAX = 50;

/** Removes it; resolves to the paths that could not be removed. */
export async function sweep(settings: Settings): Promise<string[]> {
  const folders = cgroupFolders(settings.cgroup);
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    if (folders.every(removeEmpty)) return [];
    // The kernel lets go of a dead process's cgroup a moment after its death.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return folders.filter((path) => existsSync(path));
}

/** The instance's cgroups in every hierarchy, deepest first. */
function cgroupFolders(prefix: string): string[] {
  const hierarchies = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .filter((row) => row[2] === 'cgroup' || row[2] === 'cgroup2')
    .map((row) => row[1] ?? '');
  return hierarchies.flatMap((hierarchy) =>
    readdirSync(hierarchy, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name.startsWith(`${prefix}-`))
      .flatMap((entry) => deepestFirst(join(hierarchy, entry.name))),
  );
}

function deepestFirst(folder: string): string[] {
  const below = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [...below.flatMap((entry) => deepestFirst(join(folder, entry.name))), folder];
}

function removeEmpty(folder: string): boolean {
  try {
    rmdirSync(folder);
  } catch {
    return !existsSync(folder);
  }
  return true;
}
