/**
 * Owns the files of kept answers as one proxy sees them: bodies named by their digest, entries by their index. Several proxies use one
 * folder at the same time: everything is written aside and renamed, and nothing is believed before it is checked.
 * Never flushes to disk: a file that a crash tore fails its check and is dropped. Never removes for want of room: the builder does.
 * Invariant: a byte of a body leaves here only after the whole body had the digest that its authentic entry names.
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, renameSync, unlinkSync, utimesSync, writeSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Clock } from '../../shared/clock.ts';
import type { ArtefactStoreAccess } from '../../shared/model/egress.ts';
import { type ArtefactEntry, openEntry, sealEntry } from './artefact-entry.ts';

/** Folders of a store, below its own. */
export const storeFolders = { bodies: 'bodies', entries: 'entries', incoming: 'incoming' } as const;

const READ_BYTES = 256 * 1024;
/** An entry is a head of bounded length; what is longer was not written by us. */
const ENTRY_BYTES_MAX = 512 * 1024;

/** A body on its way into the store. */
export interface Keeping {
  append(chunk: Uint8Array): void;
  /** Makes body and entry visible, unless something failed before. */
  finish(entry: ArtefactEntry): void;
  /** Leaves nothing. Idempotent, and without effect after `finish`. */
  abandon(): void;
}

/** What is told about the store. */
export interface StoreNews {
  /** What lay there was not what we wrote; it is gone now. */
  dropped(what: string): void;
  /** The folder can't be used; told once. */
  unusable(why: string): void;
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error);

/** The store of one proxy. */
export class ArtefactStore {
  readonly #access: ArtefactStoreAccess;
  readonly #key: Buffer;
  readonly #prefix: string;
  readonly #clock: Clock;
  readonly #news: StoreNews;
  #number = 0;
  #keptBytes = 0;
  #isUnusable = false;

  /** `buildId` names what this proxy writes aside. */
  constructor(access: ArtefactStoreAccess, buildId: string, clock: Clock, news: StoreNews) {
    this.#access = access;
    this.#key = Buffer.from(access.key, 'hex');
    this.#prefix = buildId;
    this.#clock = clock;
    this.#news = news;
  }

  /** Whose plain-http answers it keeps and finds. */
  get tenantId(): string {
    return this.#access.tenantId;
  }

  /** The authentic entry under this index, or null. */
  find(index: string): ArtefactEntry | null {
    const path = this.#path('entries', index);
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') this.#fail(error);
      return null;
    }
    const entry = text.length > ENTRY_BYTES_MAX ? null : openEntry(text, index, this.#key);
    if (entry === null) {
      this.#remove(path);
      this.#news.dropped('an entry of the artefact store was changed by somebody else');
    }
    return entry;
  }

  /** The body of an entry, checked from end to end; null when it is gone or was changed, and then the entry is gone too. */
  async read(entry: ArtefactEntry): Promise<Readable | null> {
    const path = this.#path('bodies', entry.sha256);
    let file: FileHandle;
    try {
      file = await open(path, 'r');
    } catch {
      this.#remove(this.#path('entries', entry.index));
      return null;
    }
    const isGenuine = await isBodyOf(file, entry).catch(() => false);
    if (isGenuine) {
      this.#touch(path);
      this.#touch(this.#path('entries', entry.index));
      return streamOf(file, entry.bytes);
    }
    await file.close();
    this.#remove(path);
    this.#remove(this.#path('entries', entry.index));
    this.#news.dropped(`a body of the artefact store is no longer what it was (sha256 ${entry.sha256})`);
    return null;
  }

  /** Begins to keep a body of `declaredBytes` (0: unknown); null when there is no room for it. */
  keep(declaredBytes: number): Keeping | null {
    const { bodyBytesMax, roomBytes } = this.#access;
    const bytesMax = Math.min(bodyBytesMax, roomBytes - this.#keptBytes);
    if (this.#isUnusable || declaredBytes > bytesMax || bytesMax <= 0) return null;
    this.#number += 1;
    const aside = this.#path('incoming', `${this.#prefix}.${this.#number}`);
    let descriptor: number | null;
    try {
      descriptor = openSync(aside, 'wx', 0o600);
    } catch (error) {
      this.#fail(error);
      return null;
    }
    let bytes = 0;
    const abandon = (): void => {
      if (descriptor === null) return;
      closeSync(descriptor);
      descriptor = null;
      this.#remove(aside);
    };
    const orAbandon = (action: () => void): void => {
      try {
        action();
      } catch (error) {
        abandon();
        this.#fail(error);
      }
    };
    return {
      append: (chunk) => {
        if (descriptor === null) return;
        bytes += chunk.length;
        if (bytes > bytesMax) return abandon();
        const to = descriptor;
        orAbandon(() => {
          for (let at = 0; at < chunk.length; ) at += writeSync(to, chunk, at);
        });
      },
      finish: (entry) => {
        if (descriptor === null) return;
        if (bytes !== entry.bytes) return abandon();
        closeSync(descriptor);
        descriptor = null;
        this.#keptBytes += bytes;
        orAbandon(() => this.#publish(aside, entry));
      },
      abandon,
    };
  }

  /** The body first: an entry without its body is a miss, a body without its entry is nothing. */
  #publish(aside: string, entry: ArtefactEntry): void {
    renameSync(aside, this.#path('bodies', entry.sha256));
    this.#writeEntry(entry);
  }

  #writeEntry(entry: ArtefactEntry): void {
    const aside = this.#path('incoming', `${this.#prefix}.${this.#number}.entry`);
    const descriptor = openSync(aside, 'w', 0o600);
    try {
      writeSync(descriptor, sealEntry(entry, this.#key));
    } finally {
      closeSync(descriptor);
    }
    renameSync(aside, this.#path('entries', entry.index));
  }

  #path(folder: keyof typeof storeFolders, name: string): string {
    return join(this.#access.directory, storeFolders[folder], name);
  }

  /** The builder removes what was used least recently, and looks at this time. */
  #touch(path: string): void {
    const nowSeconds = this.#clock.nowMs() / 1000;
    try {
      utimesSync(path, nowSeconds, nowSeconds);
    } catch {
      // It was removed meanwhile; what is open stays readable.
    }
  }

  #remove(path: string): void {
    try {
      unlinkSync(path);
    } catch {
      // Another proxy was faster.
    }
  }

  #fail(error: unknown): void {
    if (this.#isUnusable) return;
    this.#isUnusable = true;
    this.#news.unusable(`nothing is kept of this build: the artefact store can't be used (${codeOf(error)})`);
  }
}

/**
 * A file of exactly so many bytes. Its end comes with its last bytes, not after one more read: a client that knows the length would be
 * gone, and its build over, before the record is written.
 */
function streamOf(file: FileHandle, bytes: number): Readable {
  let at = 0;
  const next = async (stream: Readable): Promise<void> => {
    const wanted = Math.min(READ_BYTES, bytes - at);
    if (wanted === 0) return void stream.push(null);
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(wanted), 0, wanted, at);
    if (bytesRead === 0) throw new Error('a body of the artefact store was cut while it was read');
    at += bytesRead;
    stream.push(buffer.subarray(0, bytesRead));
    if (at === bytes) stream.push(null);
  };
  return new Readable({
    highWaterMark: READ_BYTES,
    read() {
      next(this).catch((error: Error) => this.destroy(error));
    },
    destroy(error, done) {
      file.close().then(
        () => done(error),
        () => done(error),
      );
    },
  });
}

async function isBodyOf(file: FileHandle, { sha256, bytes }: ArtefactEntry): Promise<boolean> {
  const digest = createHash('sha256');
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  let at = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, READ_BYTES, at);
    if (bytesRead === 0) break;
    digest.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
    if (at > bytes) return false;
  }
  return at === bytes && digest.digest('hex') === sha256;
}
