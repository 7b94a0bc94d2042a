/**
 * Owns a file system of a test's own that can be made full and given room again: ext4 in a file of a folder of its own, as a disk has it. Needs root.
 * Never outlives its test: its guard unmounts it when the guard's input ends, with `close` or with the test's process, however that ends.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const guard = `chmod 755 "$1"; truncate -s "$2" "$1/image"; mkfs.ext4 -q -b 4096 -m 0 "$1/image"; mkdir "$1/files"; mount -o loop "$1/image" "$1/files"; echo mounted
read -r _ || true; umount --lazy "$1/files"; rm -r "$1"`;
/** How the folders begin. */
export const DISK_PREFIX = 'envicutor-disk-';

/** What is not given to the ballast at once, but block by block. */
const REST_BYTES = 256 * 1024;
const FILL_TRIES = 10;
const PIECE = Buffer.alloc(4096);

/** See the head of this file. */
export class SmallDisk {
  readonly folder: string;
  readonly #guard: ChildProcess;

  private constructor(folder: string, guard: ChildProcess) {
    this.folder = folder;
    this.#guard = guard;
  }

  static async mount(bytes: number): Promise<SmallDisk> {
    const folder = mkdtempSync(join(tmpdir(), DISK_PREFIX));
    // A session of its own: whoever ends the test's whole group leaves it to do its work.
    const child = spawn('sh', ['-ec', guard, 'sh', folder, String(bytes)], {
      ...{ stdio: ['pipe', 'pipe', 'inherit'], detached: true },
    });
    const mounted = once(child.stdout, 'data');
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`a file system of ${bytes} bytes could not be mounted in ${folder}: ${code}`);
    });
    await Promise.race([mounted, ended]);
    ended.catch(() => undefined);
    return new SmallDisk(join(folder, 'files'), child);
  }

  get #ballast(): string {
    return join(this.folder, 'ballast');
  }

  /** Not a block is free then, until somebody removes something. */
  fill(): void {
    mkdirSync(this.#ballast, { recursive: true });
    // Whoever uses the disk may take some between the question and the act.
    for (let tries = 0; tries < FILL_TRIES; tries += 1) {
      const { bavail, bsize } = statfsSync(this.folder);
      const bytes = bavail * bsize - REST_BYTES;
      if (bytes <= 0 || isAllocated(join(this.#ballast, randomUUID()), bytes)) break;
    }
    // One file would need room to say where its last blocks are.
    while (isWritten(join(this.#ballast, randomUUID())));
  }

  free(): void {
    rmSync(this.#ballast, { force: true, recursive: true });
  }

  /** Whoever still has a file of it open keeps that file alone. */
  async close(): Promise<void> {
    if (this.#guard.exitCode !== null) return;
    const ended = once(this.#guard, 'exit');
    this.#guard.stdin?.end();
    await ended;
  }
}

function isAllocated(path: string, bytes: number): boolean {
  const { status, stderr } = spawnSync('fallocate', ['--length', String(bytes), path], { encoding: 'utf8' });
  if (status !== 0 && !/No space left/.test(stderr)) throw new Error(`fallocate: ${stderr}`);
  return status === 0;
}

function isWritten(path: string): boolean {
  try {
    writeFileSync(path, PIECE, { flush: true });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false;
    throw error;
  }
}
