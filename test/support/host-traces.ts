/**
 * What a run could leave on the host: processes, mounts, cgroups, IPC objects, keys, files. Reads only.
 * Never looks at another launcher's things: all of it is found from this launcher's process id and cgroup name.
 * Invariant: prepared sandboxes are not traces: their payload still is the launcher's own program.
 */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { delegatedCgroup } from './guest.ts';

const cgroupRoot = delegatedCgroup();
/** Prepared sandboxes, and those that a sweeper has not come to yet. */
const SHELLS_MAX = 6;

/** What is there; equal before and after a run. */
export interface HostTraces {
  readonly [kind: string]: unknown;
}

/** Looks at everything that a run of the launcher with this folder and cgroup name could leave. */
export class HostObserver {
  readonly #folder: string;
  readonly #cgroup: string;
  readonly #processId: string;

  constructor(folder: string, cgroup: string) {
    this.#folder = folder;
    this.#cgroup = cgroup;
    const found = processes().find((id) => read(`/proc/${id}/cmdline`).includes(`${folder}/launcher.sock\0`));
    if (found === undefined) throw new Error(`no launcher serves ${folder}`);
    this.#processId = found;
  }

  look(): HostTraces {
    const groups = this.#groups();
    return {
      programs: this.#descendants(this.#processId).filter((id) => !this.#isOurs(id)),
      mounts: read(`/proc/${this.#processId}/mountinfo`),
      hostMounts: read('/proc/self/mountinfo')
        .split('\n')
        .filter((line) => line.includes('envicutor-stage')),
      cgroups: groups.length > SHELLS_MAX ? groups : [],
      shared: ['shm', 'sem', 'msg'].map((kind) => read(`/proc/sysvipc/${kind}`).split('\n').length),
      keys: read('/proc/keys')
        .split('\n')
        .filter((line) => line.includes('envicutor-attack')),
      sharedFiles: list('/dev/shm'),
      store: list(join(this.#folder, 'store')).flatMap((name) => [
        name,
        ...list(join(this.#folder, 'store', name, 'environment')),
      ]),
      folder: list(this.#folder),
    };
  }

  /** Directories of sandboxes in the trees of cgroup v1, or in the one of v2. */
  #groups(): string[] {
    const trees = ['memory', 'pids', 'cpu', 'cpuacct', '.'].map((tree) => join(cgroupRoot, tree, this.#cgroup));
    return trees
      .flatMap((tree) =>
        list(tree)
          .filter((name) => /^s\d+$/.test(name))
          .map((name) => name),
      )
      .filter((name, index, all) => all.indexOf(name) === index);
  }

  #descendants(id: string): string[] {
    const children = read(`/proc/${id}/task/${id}/children`)
      .split(' ')
      .filter((child) => child !== '');
    return children.flatMap((child) => [child, ...this.#descendants(child)]);
  }

  #isOurs(id: string): boolean {
    try {
      return readlinkSync(`/proc/${id}/exe`) === readlinkSync(`/proc/${this.#processId}/exe`);
    } catch {
      return true; // it ended while we looked
    }
  }
}

/** Ids of a process's children. */
export function childrenOf(id: number): string[] {
  return read(`/proc/${id}/task/${id}/children`)
    .split(' ')
    .filter((child) => child !== '');
}

/** Parent directories of launchers whose name begins so, each once however many trees it is in. */
export function cgroupsNamed(prefix: string): string[] {
  const own = /^0::(\/.*)$/m.exec(read('/proc/self/cgroup'))?.[1] ?? '/';
  // An ordinary user's are made where he was put, of which a launcher may have made a leaf.
  const places = ['memory', 'pids', 'cpu', 'cpuacct', '.', own.replace(/\/launcher-[^/]*$/, '')];
  const trees = places.map((tree) => join(cgroupRoot, tree));
  return [...new Set(trees.flatMap(list).filter((name) => name.startsWith(prefix)))];
}

/** Waits until nothing is left of what `look` finds; rejects after ten seconds, naming it. */
export async function untilGone(look: () => readonly string[]): Promise<void> {
  for (let tries = 0; tries < 1000 && look().length > 0; tries++)
    await new Promise((resolve) => setTimeout(resolve, 10));
  const left = look();
  if (left.length > 0) throw new Error(`still there: ${left.join(', ')}`);
}

function processes(): string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
}

function list(path: string): string[] {
  return existsSync(path) ? readdirSync(path).sort() : [];
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // it ended while we looked
  }
}
