/**
 * Owns the port through which executions and builds get the layers that they run on.
 * Never says how they are fetched, kept or mounted.
 * Invariant: between `acquire` and `release` none of the named layers is removed.
 */
import type { LayerUse } from '../model/environment.ts';
import type { LayerManifest, LayerReference } from '../model/manifest.ts';

/** Layers held for one user of them, in the order in which they were asked for: lowest first. */
export interface AcquiredLayers {
  /** Names in the launcher's layer store, for LaunchSpec.layers. */
  readonly names: string[];
  readonly manifests: LayerManifest[];
  /** For the result: tar digest, bytes of the compressed blob, and where it came from this time. */
  readonly uses: LayerUse[];
  /** Lets go of them; idempotent. */
  release(): void;
}

/** Hears how many of the compressed bytes that are missing have come; called often, only while something is fetched. */
export type FetchListener = (bytes: number, bytesTotal: number) => void;

/** Where layers come from. */
export interface LayerSource {
  /**
   * Holds these layers (lowest first) for a tenant, fetching what is missing. Rejects with SystemError: `layer-untrusted`
   * (signature, scope, parents), `layer-revoked`, `trust-expired`, `layer-corrupt` (bytes are not the signed ones),
   * `object-store-unavailable`, `sandbox-failed`.
   */
  acquire(references: readonly LayerReference[], tenantId: string, listener?: FetchListener): Promise<AcquiredLayers>;
  /** Tar digests of the layers that are here, ready. */
  held(): readonly string[];
}
