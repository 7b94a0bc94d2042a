/**
 * Owns files that orders name by id: each is fetched once, checked while it comes, and kept on this disk for orders after it, the least recently used
 * going first. Apart from layers, and of each tenant apart from others': nobody learns by the time that it takes what somebody else has used.
 * Never holds one in memory but for a workspace that is being written. Invariants: what is handed out has exactly the bytes that the order names; what is
 * in use stays; the files have no names, so that whatever ends this process leaves none.
 */
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { LRUCache } from 'lru-cache';
import type { Digest } from '../../shared/digest.ts';
import { SystemError, toSystemError } from '../../shared/errors.ts';
import type { FetchedBlob, LayerFetcher } from '../../shared/layers/layer-fetcher.ts';
import type { LeaseOrderMessage, OrderInput } from '../../shared/protocol/coordinator-messages.ts';

/** Files of one order, while it runs. */
export interface AcquiredFiles {
  /** Bytes of a file of the workspace, which are in memory until `release`; SystemError `message-invalid` for any other. */
  contentOf(file: string): Buffer;
  /** All bytes of a file; SystemError `message-invalid` for one that the order does not name. */
  bytesOf(file: string): Promise<Buffer>;
  /** The same as a stream, once for each call. */
  streamOf(file: string): Readable;
  /** Lets go of them. Idempotent. */
  release(): void;
}

interface Entry {
  readonly key: string;
  readonly blob: Promise<FetchedBlob>;
  users: number;
  isKept: boolean;
}

/** As many may be open besides everything else that this process has open. */
const FILES_MAX = 512;

/** See the head of this file. */
export class AgentFiles {
  readonly #fetcher: Pick<LayerFetcher, 'fetch' | 'close'>;
  /** What is here, comes, or is in use. */
  readonly #entries = new Map<string, Entry>();
  readonly #kept: LRUCache<string, Entry>;

  constructor(fetcher: Pick<LayerFetcher, 'fetch' | 'close'>, { bytesMax }: { readonly bytesMax: number }) {
    this.#fetcher = fetcher;
    this.#kept = new LRUCache<string, Entry>({
      ...{ max: FILES_MAX, maxSize: bytesMax, maxEntrySize: bytesMax },
      dispose: (entry) => {
        entry.isKept = false;
        this.#closeUnused(entry);
      },
    });
  }

  /** What is kept for orders to come; bytes. */
  get keptBytes(): number {
    return this.#kept.calculatedSize;
  }

  /** The files of an order of this tenant; `workspace`: which of them are to be in memory. SystemError `file-corrupt`, `object-store-unavailable`. */
  async acquire(
    inputs: readonly OrderInput[],
    tenantId: string,
    workspace: readonly string[] = [],
  ): Promise<AcquiredFiles> {
    const used = new Map<string, { readonly entry: Entry; readonly blob: FetchedBlob }>();
    const entries = inputs.map((input) => [input, this.#use(input, tenantId)] as const);
    const contents = new Map<string, Buffer>();
    const release = once(() => {
      contents.clear();
      for (const [, entry] of entries) this.#letGo(entry);
    });
    const blobOf = (file: string) => used.get(file)?.blob ?? refuse(file);
    const acquired: AcquiredFiles = {
      contentOf: (file) => contents.get(file) ?? refuse(file),
      bytesOf: async (file) => await buffer(blobOf(file).read()),
      streamOf: (file) => blobOf(file).read(),
      release,
    };
    try {
      for (const [{ file }, entry] of entries) used.set(file, { entry, blob: await entry.blob });
      for (const file of new Set(workspace)) contents.set(file, await acquired.bytesOf(file));
      return acquired;
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Downloads under way fail, and so does what is asked for from now on; what is in use is closed by its users. */
  async close(): Promise<void> {
    await this.#fetcher.close();
    this.#kept.clear();
    await Promise.allSettled([...this.#entries.values()].map(({ blob }) => blob));
  }

  #use(input: OrderInput, tenantId: string): Entry {
    const key = `${tenantId} ${input.sha256} ${input.bytes}`;
    const entry = this.#entries.get(key) ?? this.#begin(key, input);
    entry.users += 1;
    // Used now, by whoever decides what goes.
    this.#kept.get(key);
    return entry;
  }

  #begin(key: string, { sha256, bytes, url }: OrderInput): Entry {
    const entry: Entry = { key, users: 0, isKept: false, blob: this.#fetch(url, sha256 as Digest, bytes) };
    this.#entries.set(key, entry);
    entry.blob.then(
      () => {
        entry.isKept = true;
        // Refuses what is larger than all that may be kept.
        this.#kept.set(key, entry, { size: Math.max(1, bytes) });
        entry.isKept = this.#kept.peek(key) === entry;
        this.#closeUnused(entry);
      },
      () => this.#entries.delete(key),
    );
    return entry;
  }

  async #fetch(url: string, digest: Digest, bytes: number): Promise<FetchedBlob> {
    try {
      return await this.#fetcher.fetch(url, { digest, bytes } as Parameters<LayerFetcher['fetch']>[1]);
    } catch (error) {
      const { code, message } = toSystemError(error);
      if (code !== 'layer-corrupt') throw error;
      throw new SystemError('file-corrupt', `a file is not what was sent: ${message}`, { cause: error });
    }
  }

  #letGo(entry: Entry): void {
    entry.users -= 1;
    this.#closeUnused(entry);
  }

  #closeUnused(entry: Entry): void {
    if (entry.isKept || entry.users > 0) return;
    if (this.#entries.get(entry.key) === entry) this.#entries.delete(entry.key);
    entry.blob.then((blob) => blob.close()).catch(() => undefined);
  }
}

function refuse(file: string): never {
  throw new SystemError(
    'message-invalid',
    `the order names ${file}, which it does not tell of, or this agent can't fetch`,
  );
}

/** Of an order that names none. */
export const noFiles: AcquiredFiles = {
  contentOf: refuse,
  bytesOf: async (file) => refuse(file),
  streamOf: refuse,
  release: () => undefined,
};

/** The files that an order names; what it names that can't be had is refused where it is used. */
export async function acquireFiles(
  source: Pick<AgentFiles, 'acquire'> | undefined,
  { inputs = [], tenantId, files, tests }: Pick<LeaseOrderMessage, 'inputs' | 'tenantId' | 'files' | 'tests'>,
): Promise<AcquiredFiles> {
  const ofCheck = tests !== undefined && 'layers' in tests.check ? tests.check.files : [];
  const workspace = [...files, ...ofCheck].flatMap((file) => ('file' in file ? [file.file] : []));
  return source === undefined ? noFiles : await source.acquire(inputs, tenantId, workspace);
}

function once(action: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    action();
  };
}
