/**
 * Owns what a machine must offer before anything starts: one check per requirement, each with one sentence that names the remedy.
 * Never changes the machine, and never lets a start go on with less: a limit that can't be enforced is refused here.
 */
import { accessSync, constants, existsSync, mkdirSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { release } from 'node:os';
import { dirname, join } from 'node:path';
import type { Settings } from './settings.ts';

/** The oldest kernel whose tmpfs has idmapped mounts (6.3) and user xattrs, which an overlay on it needs (6.6); [major, minor]. */
const KERNEL_MIN = [6, 6] as const;
/** Free bytes of the state directory's file system: a base, a toolchain and room to unpack both. */
const DISK_BYTES_MIN = 3 * 1024 ** 3;

const programs: Readonly<Record<string, string>> = {
  mmdebstrap: 'mmdebstrap',
  tar: 'tar',
  mount: 'mount',
  unshare: 'util-linux',
  setpriv: 'util-linux',
};

/** The first thing that is missing, as a sentence with its remedy, or null. */
export async function findObstacle(settings: Settings, root: string): Promise<string | null> {
  return (
    checkUser() ??
    checkKernel(release()) ??
    checkPrograms() ??
    checkCgroups(readFileSync('/proc/self/mounts', 'utf8')) ??
    checkReadable(root) ??
    checkStateDirectory(settings.stateDirectory) ??
    (await checkPort(settings.port))
  );
}

function checkUser(): string | null {
  if (process.getuid?.() === 0) return null;
  return 'make run makes sandboxes and needs root for that: run `sudo make run`';
}

/** Is the kernel new enough? */
export function checkKernel(text: string): string | null {
  const [major = 0, minor = 0] = text.split('.').map(Number);
  if (major > KERNEL_MIN[0] || (major === KERNEL_MIN[0] && minor >= KERNEL_MIN[1])) return null;
  return `Linux ${text} can't give sandboxes idmapped mounts and user xattrs on tmpfs: boot a kernel of at least ${KERNEL_MIN.join('.')}`;
}

function checkPrograms(): string | null {
  const folders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
  for (const [program, systemPackage] of Object.entries(programs)) {
    if (folders.some((folder) => existsSync(join(folder, program)))) continue;
    return `the program ${program} is missing: install the system package ${systemPackage}`;
  }
  return null;
}

/** Does the machine offer the controllers that the limits need, in either version of cgroups? */
export function checkCgroups(mounts: string): string | null {
  const needed = ['cpu', 'cpuacct', 'memory', 'pids'];
  const rows = mounts.split('\n').map((line) => line.split(' '));
  const first = rows.filter((row) => row[2] === 'cgroup').flatMap((row) => row[3]?.split(',') ?? []);
  const missing = needed.filter((name) => !first.includes(name));
  if (missing.length === 0) return null;
  const unified = rows.find((row) => row[2] === 'cgroup2')?.[1];
  if (unified !== undefined && offersControllers(unified)) return null;
  return (
    `no cgroup controller ${missing.filter((name) => name !== 'cpuacct' || missing.length === 1).join(', ')}: ` +
    'mount cgroup2 on /sys/fs/cgroup (boot without cgroup_disable=), or mount the named controllers of version 1'
  );
}

function offersControllers(unified: string): boolean {
  try {
    const offered = readFileSync(join(unified, 'cgroup.controllers'), 'utf8').trim().split(' ');
    return ['cpu', 'memory', 'pids'].every((name) => offered.includes(name));
  } catch {
    return false;
  }
}

/** The processes are not root: they must be able to read what they run. */
function checkReadable(root: string): string | null {
  for (const path of ['node_modules', 'shared', 'agent', 'coordinator', 'package.json', 'shared/errors.ts']) {
    const others = statSync(join(root, path)).mode & 0o5;
    if ((others & 0o4) === 0)
      return `${join(root, path)} can't be read by an unprivileged process: run \`chmod -R go+rX ${root}\``;
  }
  return null;
}

function checkStateDirectory(directory: string): string | null {
  try {
    // Step by step: Node's recursive form never ends below a file system that refuses with ENOENT, such as /proc.
    for (const folder of [directory, ...ancestors(directory)].reverse()) {
      if (!existsSync(folder)) mkdirSync(folder, { mode: 0o711 });
    }
    accessSync(directory, constants.W_OK);
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    return `the state directory ${directory} can't be written (${why}): set ENVICUTOR_STATE_DIRECTORY to one that can`;
  }
  const closed = ancestors(directory).find((path) => (statSync(path).mode & 0o1) === 0);
  if (closed !== undefined)
    return `the state directory ${directory} lies in ${closed}, which unprivileged processes can't enter: set ENVICUTOR_STATE_DIRECTORY to another`;
  const { bavail, bsize } = statfsSync(directory);
  if (bavail * bsize >= DISK_BYTES_MIN) return null;
  const free = Math.floor((bavail * bsize) / 1024 ** 2);
  return `${directory} has ${free} MiB of free disk, a base and a toolchain need 3 GiB: free some, or set ENVICUTOR_STATE_DIRECTORY`;
}

/** The folders above a path, nearest first. */
function ancestors(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [] : [parent, ...ancestors(parent)];
}

/** Resolves to a sentence when somebody listens on the port already. */
function checkPort(port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) =>
      resolve(`port ${port} can't be used (${error.code}): stop what listens on it, or set ENVICUTOR_PORT to another`),
    );
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(null)));
  });
}
