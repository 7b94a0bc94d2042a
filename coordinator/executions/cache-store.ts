/**
 * Owns the port to what a coordinator remembers about the cache: revocations, pins, and each published layer with its last use.
 * Never the truth about what is in the store (manifests are) nor about what is revoked (the verifier's signed state is): it is what was ordered
 * here and seen from here. The invariants are the state store's.
 */
import type { LayerManifest } from '../../shared/model/manifest.ts';
import type { Revocation } from '../../shared/model/trust.ts';
import type { Page } from './page.ts';

/** Durable revocations, for ever. */
export interface RevocationStore {
  /** Adds those that are new; one that is fatal makes one that was not fatal too. */
  revoke(revocations: readonly Revocation[]): Promise<void>;
  /** In the order in which they came. */
  revocations(): Promise<readonly Revocation[]>;
}

/** A layer that this coordinator has seen in the store. */
export interface RecordedLayer {
  readonly objectKey: string;
  readonly manifest: LayerManifest;
  readonly lastUsedAtMs: number;
}

/** A layer that is to stay on an agent. */
export interface Pin {
  readonly digest: string;
  /** Null: on all agents. */
  readonly agentId: string | null;
}

/** Durable memory of the cache. */
export interface CacheStore extends RevocationStore {
  /** Records a layer, or nothing when it is recorded already. */
  record(layer: RecordedLayer): Promise<void>;
  /** Newest first. */
  layers(cursor: number | null, limit: number): Promise<Page<RecordedLayer>>;
  /** All of a tar digest. */
  layersOf(digest: string): Promise<readonly RecordedLayer[]>;
  /** Least recently used first, at most `limit`, used last before that time. */
  unused(beforeMs: number, limit: number): Promise<readonly RecordedLayer[]>;
  /** These tar digests were used at that time. */
  used(digests: readonly string[], nowMs: number): Promise<void>;
  /** Forgets layers that are not in the store any more. */
  forget(objectKeys: readonly string[]): Promise<void>;
  pin(pins: readonly Pin[]): Promise<void>;
  /** Takes pins away; an agent of null takes them away everywhere. */
  unpin(pins: readonly Pin[]): Promise<void>;
  pins(): Promise<readonly Pin[]>;
}
