/**
 * Owns what of a build's writable layer never enters the captured layer: caches, logs, mount points, what differs between two
 * builds of the same materials (docs/build-network.md has the measurements).
 * Never looks at contents but for "empty"; whiteouts fall under the same rules as what they hide.
 * Invariant: a changed rule raises CAPTURE_RULES_VERSION, which is part of every layer's key.
 */

/** Version of the rules below, part of a layer's key and manifest. */
export const CAPTURE_RULES_VERSION = 1;

/** What a rule sees of an entry: path without a leading or trailing slash. */
export interface Candidate {
  readonly path: string;
  readonly isDirectory: boolean;
  readonly isEmptyFile: boolean;
}

/** Kept themselves, everything below them goes: the launcher mounts its own there. */
const emptied = ['dev', 'proc', 'sys', 'run', 'tmp'];

/** Files below them go, directories stay, since programs expect them with their owners. */
const emptiedOfFiles = ['var/log', 'var/cache/apt', 'var/lib/apt/lists'];

const homes = ['environment', 'root'];

/** They go as a whole. */
const removed = [
  'environment/workspace',
  'var/cache/ldconfig/aux-cache',
  ...homes.flatMap((home) => [`${home}/.npm`, `${home}/.cache/pip`, `${home}/.cache/go-build`, `${home}/.cache/uv`]),
];

/** They go wherever they are. */
const removedAnywhere = ['_remote.repositories', '.cargo/.global-cache'];

/** They go when they are empty: mount points that the launcher makes, the file of variables when nobody wrote one. */
const removedWhenEmpty = ['etc/resolv.conf', 'etc/hosts', 'environment/.envicutor/variables'];

const isBelow = (path: string, directory: string): boolean => path.startsWith(`${directory}/`);

/** Does this entry stay out of the layer? */
export function isDropped({ path, isDirectory, isEmptyFile }: Candidate): boolean {
  return (
    emptied.some((directory) => isBelow(path, directory)) ||
    (!isDirectory && emptiedOfFiles.some((directory) => isBelow(path, directory))) ||
    removed.some((tree) => path === tree || isBelow(path, tree)) ||
    removedAnywhere.some((name) => path === name || path.endsWith(`/${name}`)) ||
    (isEmptyFile && removedWhenEmpty.includes(path))
  );
}
