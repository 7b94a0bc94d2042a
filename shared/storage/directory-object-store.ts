/**
 * Owns the object store of a single machine: one file per object below `<folder>/objects`, written in `<folder>/incoming`.
 * Never overwrites (link(2) fails when the name is taken, rename(2) would not) and never holds a whole object in memory.
 * Invariants: a file gets its final name only after its bytes were checked and flushed, so a crash leaves no half object;
 * a put has reached the disk, name included, before it is answered. Processes may share the folder: one writer's user, and readers of its group.
 */
import type { Dirent } from 'node:fs';
import { access, link, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { DigestingStream } from '../digest.ts';
import { SystemError } from '../errors.ts';
import { createIncomingPath, sweepIncoming } from './incoming-folder.ts';
import {
  type ByteRange,
  checkKey,
  checkPrefix,
  type ObjectContent,
  type ObjectDescription,
  type ObjectEntry,
  type ObjectHead,
  type ObjectStore,
  type PutOutcome,
  toBody,
} from './object-store.ts';

const READ_CHUNK_BYTES = 256 * 1024;

/** Objects as files in a folder that exists or can be made; nothing is touched before the first call. */
export class DirectoryObjectStore implements ObjectStore {
  readonly #objects: string;
  readonly #incoming: string;
  #prepared: Promise<void> | null = null;

  constructor(folder: string) {
    this.#objects = join(folder, 'objects');
    this.#incoming = join(folder, 'incoming');
  }

  async get(key: string, range?: ByteRange): Promise<ObjectContent | null> {
    const handle = await open(this.#pathOf(key), 'r').catch((error) => absent(error, `reading ${key}`));
    if (handle === null) return null;
    const found = await handle.stat();
    if (found.isFile())
      return { bytes: found.size, body: handle.createReadStream({ highWaterMark: READ_CHUNK_BYTES, ...range }) };
    await handle.close();
    return null;
  }

  async put(key: string, source: Readable | Uint8Array, description: ObjectDescription): Promise<PutOutcome> {
    const path = this.#pathOf(key);
    const body = toBody(source);
    let temporary: string | null = null;
    try {
      await this.#prepare();
      if (await isPresent(path)) {
        // Whoever made it may not have flushed its name yet; `exists` must be as lasting as `stored`.
        await syncFolder(dirname(path));
        return 'exists';
      }
      temporary = await createIncomingPath(this.#incoming);
      await writeChecked(temporary, key, body, description);
      return await this.#publish(temporary, path);
    } catch (error) {
      throw unavailable(error, `storing ${key}`);
    } finally {
      body.destroy();
      if (temporary !== null) await rm(temporary, { force: true }).catch(() => undefined);
    }
  }

  async head(key: string): Promise<ObjectHead | null> {
    const found = await stat(this.#pathOf(key)).catch((error) => absent(error, `looking at ${key}`));
    return found?.isFile() ? { bytes: found.size, storedAtMs: Math.floor(found.mtimeMs) } : null;
  }

  async *list(prefix: string): AsyncGenerator<ObjectEntry> {
    checkPrefix(prefix);
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    yield* this.#walk(folder, prefix);
  }

  async delete(key: string): Promise<void> {
    const path = this.#pathOf(key);
    try {
      await rm(path);
      await syncFolder(dirname(path));
    } catch (error) {
      absent(error, `deleting ${key}`);
    }
  }

  presignGet(key: string, _expiresSeconds: number): null {
    checkKey(key);
    return null;
  }

  /** Yields the objects below `folder` ('' or ending in '/') whose keys start with `prefix`, ordered by key. */
  async *#walk(folder: string, prefix: string): AsyncGenerator<ObjectEntry> {
    const entries = await readdir(join(this.#objects, folder), { withFileTypes: true }).catch((error) =>
      absent(error, `listing ${folder}`),
    );
    for (const name of (entries ?? []).map(keyPart).sort()) {
      const key = folder + name;
      if (!key.startsWith(prefix)) continue;
      if (key.endsWith('/')) {
        yield* this.#walk(key, prefix);
      } else {
        const head = await this.head(key);
        if (head !== null) yield { key, ...head };
      }
    }
  }

  /** Gives a written file its name; the loser of a race is told so by the kernel. */
  async #publish(temporary: string, path: string): Promise<PutOutcome> {
    const folder = dirname(path);
    const firstMade = await mkdir(folder, { recursive: true, mode: 0o750 });
    const outcome = await link(temporary, path).then(
      () => 'stored' as const,
      (error) => {
        if (hasCode(error, 'EEXIST')) return 'exists' as const;
        throw error;
      },
    );
    await syncFolder(folder);
    if (firstMade !== undefined) await syncFoldersBetween(dirname(firstMade), folder);
    return outcome;
  }

  /** Makes the two folders and removes what dead writers left, once per process; again after a failure. */
  #prepare(): Promise<void> {
    this.#prepared ??= (async () => {
      await mkdir(this.#objects, { recursive: true, mode: 0o750 });
      await mkdir(this.#incoming, { recursive: true, mode: 0o700 });
      await sweepIncoming(this.#incoming);
    })().catch((error) => {
      this.#prepared = null;
      throw error;
    });
    return this.#prepared;
  }

  #pathOf(key: string): string {
    return join(this.#objects, checkKey(key));
  }
}

/** Streams into a new file, checks length and digest, and flushes it; SystemError `layer-corrupt` when they differ. */
async function writeChecked(path: string, key: string, body: Readable, description: ObjectDescription): Promise<void> {
  const digesting = new DigestingStream(description.bytes);
  const handle = await open(path, 'wx', 0o640);
  try {
    await pipeline(body, digesting, (checked: AsyncIterable<Buffer>) => handle.writeFile(checked)).catch((error) => {
      if (error instanceof RangeError) throw corrupt(key, description, `more than ${description.bytes} bytes`);
      throw error;
    });
    const digest = digesting.digest();
    if (digesting.bytes !== description.bytes || digest !== description.sha256) {
      throw corrupt(key, description, `${digesting.bytes} bytes with ${digest}`);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function corrupt(key: string, { bytes, sha256 }: ObjectDescription, given: string): SystemError {
  return new SystemError(
    'layer-corrupt',
    `${key} was announced as ${bytes} bytes with ${sha256}, but the source gave ${given}`,
  );
}

/** Null when the error says that there is no such file; anything else is thrown as a failure of the store. */
function absent(error: unknown, attempt: string): null {
  if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return null;
  throw unavailable(error, attempt);
}

function unavailable(error: unknown, attempt: string): Error {
  if (error instanceof SystemError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new SystemError('object-store-unavailable', `${attempt} failed: ${reason}`, { cause: error });
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

function keyPart(entry: Dirent): string {
  return entry.isDirectory() ? `${entry.name}/` : entry.name;
}

async function isPresent(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

/** Flushes the folders from `first` down to the parent of `last`, after folders were made in them. */
async function syncFoldersBetween(first: string, last: string): Promise<void> {
  for (let folder = dirname(last); !relative(first, folder).startsWith('..'); folder = dirname(folder)) {
    await syncFolder(folder);
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  await handle.sync().finally(() => handle.close());
}
