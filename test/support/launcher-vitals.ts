/**
 * What a launcher holds when nothing runs: memory, descriptors by what they are, cgroups, mounts, IPC objects, keys, files. Reads only.
 * Never looks while it works: `atRest` waits until every program is gone, every cgroup removed, the stock full.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { RealLauncher } from './real-launcher.ts';
import { DISK_PREFIX } from './small-disk.ts';

const REST_MS_MAX = 20_000;

/** What is looked at, whoever started it. */
type MeasuredLauncher = Pick<RealLauncher, 'processId' | 'cgroup' | 'folder' | 'sandbox'>;

/** Counts by what is counted; bytes where the name ends so. */
export type Vitals = Readonly<Record<string, number>>;

/** Directories of sandboxes in the trees of cgroup v1, or in the one of v2, each named once. */
export function sandboxGroups(cgroup: string): string[] {
  const trees = ['memory', 'pids', 'cpu', 'cpuacct', 'cpuset', '.'];
  const all = trees.flatMap((tree) => list(join('/sys/fs/cgroup', tree, `envicutor-${cgroup}`)));
  return [...new Set(all.filter((name) => /^s\d+$/.test(name)))];
}

/** Processes below this one, at any depth. */
export function descendantsOf(id: number): number[] {
  const children = read(`/proc/${id}/task/${id}/children`).split(' ').filter(Boolean).map(Number);
  return children.flatMap((child) => [child, ...descendantsOf(child)]);
}

/** Waits until nothing runs, nothing waits to be removed and at least so many sandboxes are prepared, then counts. */
export async function atRest(launcher: MeasuredLauncher, stockMin = 2): Promise<Vitals> {
  const deadline = performance.now() + REST_MS_MAX;
  for (let calm = 0; calm < 3; ) {
    const { running, kept, stock } = await launcher.sandbox.gauges();
    const groups = sandboxGroups(launcher.cgroup);
    // A sandbox that is being made or removed has a cgroup and is not in the stock.
    calm = running === 0 && kept === 0 && stock >= stockMin && groups.length === stock ? calm + 1 : 0;
    assert.ok(performance.now() < deadline, `no rest: ${running} run, ${kept} kept, ${stock} ready, cgroups ${groups}`);
    await wait(10);
  }
  return count(launcher);
}

function count(launcher: MeasuredLauncher): Vitals {
  const id = launcher.processId;
  const children = descendantsOf(id);
  const sweepers = children.filter((child) => read(`/proc/${child}/comm`).startsWith('envicutor-sweep'));
  const descriptors = Object.entries(descriptorsOf(id)).map(([kind, found]) => [`descriptors: ${kind}`, found]);
  return {
    ...Object.fromEntries(descriptors),
    'heap bytes': Number(/^RssAnon:\s+(\d+) kB/m.exec(read(`/proc/${id}/status`))?.[1] ?? 0) * 1024,
    'descriptors of sweepers': sweepers.map((child) => list(`/proc/${child}/fd`).length).reduce((a, b) => a + b, 0),
    processes: children.length,
    cgroups: sandboxGroups(launcher.cgroup).length,
    mounts: mountsOf(id),
    'mounts of the host': read('/proc/self/mountinfo').split('envicutor-stage').length,
    'mounts of sweepers': Math.max(0, ...sweepers.map(mountsOf)),
    'IPC objects': ['shm', 'sem', 'msg'].map((kind) => lines(`/proc/sysvipc/${kind}`)).reduce((a, b) => a + b),
    keys: read('/proc/keys')
      .split('\n')
      .filter((line) => line.includes('envicutor-attack')).length,
    // A database that somebody starts or ends meanwhile has some, too.
    'shared files': list('/dev/shm').filter((name) => !name.startsWith('PostgreSQL.')).length,
    'files of the store': list(join(launcher.folder, 'store')).flatMap((name) => [
      name,
      ...(['incoming', 'trash'].includes(name) ? list(join(launcher.folder, 'store', name)) : []),
    ]).length,
    'files of the folder': list(launcher.folder).length,
  };
}

/** A lock of an id range is kept for the next sandbox: as many as there ever were at once, and 64 at most. */
function descriptorsOf(id: number): Record<string, number> {
  const kinds: Record<string, number> = {};
  for (const name of list(`/proc/${id}/fd`)) {
    const target = linkOf(`/proc/${id}/fd/${name}`);
    if (target === null) continue;
    const named = target.replace(/:\[\d+\]$/, '').replace(/\/s\d+\//, '/s…/');
    const kind = named.startsWith('/run/envicutor-ids/') ? 'id locks' : named;
    kinds[kind] = (kinds[kind] ?? 0) + 1;
  }
  return kinds;
}

function linkOf(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}

function list(path: string): string[] {
  return existsSync(path) ? readdirSync(path) : [];
}

/** Without the disks of another test that runs meanwhile. */
function mountsOf(id: number): number {
  const mounts = read(`/proc/${id}/mountinfo`).split('\n');
  return mounts.filter((mount) => !mount.includes(`/${DISK_PREFIX}`)).length;
}

function lines(path: string): number {
  return read(path).split('\n').length;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
