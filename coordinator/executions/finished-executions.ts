/**
 * Owns how long finished executions are remembered in memory: by number and by what they hold. Never keeps anything durably.
 * For answers that have no durable record, and for events and placements of those that have one.
 */
import { LRUCache } from 'lru-cache';
import { memoryBytesOf } from '../../shared/text-length.ts';
import type { LiveExecution } from './live-execution.ts';

const KEPT_BYTES_MAX = 64 * 1024 * 1024;
const ENTRY_BYTES = 4096;

/** A memory of at most so many. */
export function rememberFinished(max: number): LRUCache<string, LiveExecution> {
  return new LRUCache<string, LiveExecution>({
    max,
    maxSize: KEPT_BYTES_MAX,
    // Whatever is reached from it stays in memory with it.
    sizeCalculation: ({ result, terms, log }) =>
      ENTRY_BYTES + memoryBytesOf(result) + memoryBytesOf(terms.request) + log.bytes,
  });
}
