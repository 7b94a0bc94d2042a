/**
 * Owns a folder of small records of one process, each a whole file under the digest of its name. Never interprets a record.
 * Invariants: whoever reads the folder after a crash finds of each name the last or the last but one of what was put there, never a part; writes
 * of one name are one after the other, and the latest wish wins.
 */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { digestHex, digestOf } from '../digest.ts';
import { writeWhole } from './whole-file.ts';

const recordPattern = /^[0-9a-f]{64}\.json$/;

/** The records of a folder; `read` before anything else. */
export class RecordFolder {
  readonly #directory: string;
  readonly #wanted = new Map<string, string | null>();
  readonly #writing = new Map<string, Promise<void>>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The texts that are there, in no order, one after the other; makes the folder and removes what a crash left half written. */
  async *read(): AsyncGenerator<string> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    for (const file of await readdir(this.#directory)) {
      const path = join(this.#directory, file);
      if (recordPattern.test(file)) yield await readFile(path, 'utf8');
      else await rm(path, { force: true, recursive: true });
    }
  }

  /** The text under this name, or null. */
  async get(name: string): Promise<string | null> {
    const wanted = this.#wanted.get(name);
    if (wanted !== undefined) return wanted;
    await this.#writing.get(name)?.catch(() => undefined);
    return await readFile(this.#pathOf(name), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
  }

  /** Resolves when this text, or a later one, survives a crash; rejects with the file system's error. */
  put(name: string, text: string): Promise<void> {
    return this.#set(name, text);
  }

  /** Resolves when the record is gone; idempotent. */
  remove(name: string): Promise<void> {
    return this.#set(name, null);
  }

  /** Resolves when nothing is being written. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#writing.values());
  }

  #pathOf(name: string): string {
    return join(this.#directory, `${digestHex(digestOf(name))}.json`);
  }

  #set(name: string, text: string | null): Promise<void> {
    this.#wanted.set(name, text);
    const writing = this.#writing.get(name) ?? this.#write(name);
    this.#writing.set(name, writing);
    return writing;
  }

  async #write(name: string): Promise<void> {
    const path = this.#pathOf(name);
    // In a later turn than the wish, so that whoever wishes has put this promise down.
    await Promise.resolve();
    let failed: { readonly cause: unknown } | null = null;
    for (let text = this.#wanted.get(name); text !== undefined; text = this.#wanted.get(name)) {
      this.#wanted.delete(name);
      // A later wish has its own try: what could not be written may be removed.
      failed = await attempt(() => (text === null ? rm(path, { force: true }) : writeWhole(path, text)));
    }
    // In one step with the last look at what is wanted, so that no wish falls between.
    this.#writing.delete(name);
    if (failed !== null) throw failed.cause;
  }
}

async function attempt(write: () => Promise<void>): Promise<{ readonly cause: unknown } | null> {
  try {
    await write();
    return null;
  } catch (cause) {
    return { cause };
  }
}
