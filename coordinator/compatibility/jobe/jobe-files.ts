/**
 * Owns the files that Jobe's clients send before they run anything, by the ids that they chose: in memory, within bounds, the least used go first. The
 * protocol promises no more: a client that is told that a file is missing sends it again. Never shows one tenant another's.
 */
import { LRUCache } from 'lru-cache';

const MIB = 1024 * 1024;
/** Of all tenants together. */
const BYTES_MAX = 128 * MIB;
/** Of one file. */
export const FILE_BYTES_MAX = 16 * MIB;
/** What an entry weighs besides its content. */
const ENTRY_BYTES = 256;

/** See the head of this file. */
export class JobeFiles {
  readonly #files = new LRUCache<string, Buffer>({
    maxSize: BYTES_MAX,
    sizeCalculation: (content) => content.length + ENTRY_BYTES,
  });

  /** False: it is too large to be kept. */
  put(tenantId: string, id: string, content: Buffer): boolean {
    if (content.length > FILE_BYTES_MAX) return false;
    this.#files.set(`${tenantId} ${id}`, content);
    return true;
  }

  get(tenantId: string, id: string): Buffer | undefined {
    return this.#files.get(`${tenantId} ${id}`);
  }

  has(tenantId: string, id: string): boolean {
    return this.#files.has(`${tenantId} ${id}`);
  }
}
