/**
 * Owns what of a build's writable layer never enters the captured layer: caches, logs, mount points, secrets that were made while
 * building, what differs between two builds of the same materials (docs/layers.md has the reasons).
 * Never looks at contents but for "empty" (capture-rewrites does); whiteouts fall under the same rules as what they hide.
 * Invariant: a changed rule, here or there, raises CAPTURE_RULES_VERSION, which is part of every layer's key.
 */

/** Version of the rules below and of capture-rewrites, part of a layer's key and manifest. */
export const CAPTURE_RULES_VERSION = 2;

/** What a rule sees of an entry: path without a leading or trailing slash. */
export interface Candidate {
  readonly path: string;
  readonly isDirectory: boolean;
  readonly isEmptyFile: boolean;
}

/** Kept themselves, everything below them goes: the launcher mounts its own there. */
const emptied = ['dev', 'proc', 'sys', 'run', 'tmp'];

/** Files below them go, directories stay, since programs expect them with their owners. */
const emptiedOfFiles = ['var/log', 'var/cache/apt', 'var/cache/man', 'var/lib/apt/lists'];

const homes = ['environment', 'root'];
/** Below a home: what clients remember of their downloads. */
const removedFromHomes = [
  '.npm',
  '.cache/pip',
  '.cache/go-build',
  '.cache/uv',
  '.wget-hsts',
  '.gnupg/random_seed',
  '.config/go/telemetry',
];

/** They go as a whole. */
const removed = [
  'environment/workspace',
  'var/cache/ldconfig/aux-cache',
  'var/lib/systemd/random-seed',
  ...homes.flatMap((home) => removedFromHomes.map((name) => `${home}/${name}`)),
];

/** A machine's own secret, made while its package was installed: in a layer that many read it would be nobody's. */
const freshSecret = /^etc\/ssh\/ssh_host_[a-z0-9]+_key(\.pub)?$/;

/** They go wherever they are. */
const removedAnywhere = ['_remote.repositories', '.cargo/.global-cache', '.rustc_info.json'];

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
    isFreshSecret(path) ||
    (isEmptyFile && removedWhenEmpty.includes(path))
  );
}

/** Is this a secret that installing a package made, which no layer may hand to many? */
export function isFreshSecret(path: string): boolean {
  return freshSecret.test(path);
}
