/**
 * Owns how much of this process's memory requests may hold together, from before they are accepted until they are over: their programs' inputs and files
 * are in them, and a queue of few that are large weighs more than one of many. Refuses before anything is recorded.
 */
import type { ExecutionRequest } from '../../shared/model/execution.ts';
import { memoryBytesOf } from '../../shared/text-length.ts';
import type { Tenant } from '../tenants/keys.ts';
import { MemoryShares, noRoom, SMALL_BYTES_MAX } from './memory-shares.ts';

/** Bounds of everybody. */
export interface RequestMemoryOptions {
  /** Of all tenants together; 0: as memory-shares says; bytes, as `memoryBytesOf` counts them. */
  readonly liveRequestBytesMax: number;
  /** Is there one tenant only, who may have all of it? */
  readonly isEmbedded: boolean;
}

/** See the head of this file. */
export class RequestMemory {
  readonly #shares: MemoryShares;
  readonly #refused: (tenantId: string) => void;

  /** `refused` hears of each refusal. */
  constructor(
    { liveRequestBytesMax, isEmbedded }: RequestMemoryOptions,
    refused: (tenantId: string) => void = () => undefined,
  ) {
    this.#shares = new MemoryShares({ bytesMax: liveRequestBytesMax, isEmbedded });
    this.#refused = refused;
  }

  /** What is held now; bytes. */
  get bytes(): number {
    return this.#shares.bytes;
  }

  /** Holds these and says how much each weighs; SystemError `queue-full` when there is no room for all of them now, unless together they are small. */
  take(tenant: Tenant, requests: readonly ExecutionRequest[]): readonly number[] {
    const weights = requests.map((request) => memoryBytesOf(request));
    const bytes = weights.reduce((sum, each) => sum + each, 0);
    if (this.#shares.take(tenant, bytes)) return weights;
    // How many may wait is bounded: what was accepted before a restart may leave no room for a while, and that is nobody's end.
    if (bytes <= SMALL_BYTES_MAX) {
      this.#shares.add(tenant, bytes);
      return weights;
    }
    this.#refused(tenant.id);
    const held = `hold ${this.#shares.bytesOf(tenant)} bytes, of at most ${this.#shares.bytesMaxOf(tenant)} now`;
    const what = `requests of tenant ${tenant.id} that are not over ${held}, and this has ${bytes} more`;
    throw noRoom(what);
  }

  /** Holds one that was accepted before, whatever room there is, and says how much it weighs. */
  hold(tenant: Tenant, request: ExecutionRequest): number {
    const bytes = memoryBytesOf(request);
    this.#shares.add(tenant, bytes);
    return bytes;
  }

  /** So much is not held any more. */
  giveBack(tenant: Tenant, bytes: number): void {
    this.#shares.add(tenant, -bytes);
  }
}
