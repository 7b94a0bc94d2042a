/**
 * Owns the words of placement: an agent as it is seen there, and where a demand may run. Types only.
 */
import type { AgentId } from '../../shared/ids.ts';

/** An agent as placement sees it. */
export interface Candidate {
  readonly id: AgentId;
  readonly architecture: string;
  readonly pool: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Slots for further demands; none while it drains or rests. */
  readonly freeSlots: number;
  /** Part of its slots that is taken, from 0 to 1. */
  readonly load: number;
  /** Memory that is not promised to anybody; bytes. */
  readonly freeMemoryBytes: number;
  /** What layers may weigh on it; bytes. */
  readonly diskBytes: number;
  /** Has every slot processors of its own? */
  readonly exclusiveCores: boolean;
  /** Optional parts of orders that it takes (shared/protocol/version.ts); absent: none. */
  readonly understands?: readonly string[];
  /** Tar digests of the layers that it holds. */
  readonly layers: ReadonlySet<string>;
}

/** Where a demand may run; `key` is a text that is the same for the same constraints only. */
export interface Constraints {
  readonly key: string;
  readonly architecture: string;
  /** Null: any. */
  readonly pool: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly exclusiveCore: boolean;
  /** Optional parts that its order has: no agent that does not take them can have it; absent: none. */
  readonly needs?: readonly string[];
}
