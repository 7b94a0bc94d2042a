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

  /** The files of an order of this tenant. SystemError `file-corrupt`, `object-store-unavailable`. */
  async acquire(inputs: readonly OrderInput[], tenantId: string): Promise<AcquiredFiles> {
    const used = new Map<string, { readonly entry: Entry; readonly blob: FetchedBlob }>();
    const entries = inputs.map((input) => [input, this.#use(input, tenantId)] as const);
    const release = once(() => {
      for (const [, entry] of entries) this.#letGo(entry);
    });
    try {
      for (const [{ file }, entry] of entries) used.set(file, { entry, blob: await entry.blob });
    } catch (error) {
      release();
      throw error;
    }
    const blobOf = (file: string) => {
      const blob = used.get(file)?.blob;
      if (blob === undefined)
        throw new SystemError('message-invalid', `the order names ${file} and says nothing of it`);
      return blob;
    };
    return { bytesOf: (file) => buffer(blobOf(file).read()), streamOf: (file) => blobOf(file).read(), release };
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

/** The files of an order, from where there is such a place; SystemError `message-invalid` when there is none and the order names some. */
export async function acquireFiles(
  files: Pick<AgentFiles, 'acquire'> | undefined,
  { inputs = [], tenantId }: Pick<LeaseOrderMessage, 'inputs' | 'tenantId'>,
): Promise<AcquiredFiles> {
  if (files !== undefined) return await files.acquire(inputs, tenantId);
  const refuse = (file: string): never => {
    throw new SystemError('message-invalid', `this agent can't fetch ${file}`);
  };
  return { bytesOf: async (file) => refuse(file), streamOf: refuse, release: () => undefined };
}

function once(action: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    action();
  };
}
