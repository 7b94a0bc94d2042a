/**
 * Owns reading signed manifests from the object store as layers that can be handed out. Never signs, never writes.
 * Invariants: a Layer's manifest comes from bytes that a trusted key signed, and lies where its own scope and key say.
 */
import { SystemError } from '../../shared/errors.ts';
import { decodeEnvelope, ENVELOPE_BYTES_MAX, manifestKey } from '../../shared/layers/layer-manifest.ts';
import type { Envelope, LayerManifest, LayerSpec } from '../../shared/model/manifest.ts';
import { type ObjectStore, readObject } from '../../shared/storage/object-store.ts';

/** A published layer. */
export interface Layer {
  readonly objectKey: string;
  readonly manifest: LayerManifest;
  readonly envelope: Envelope;
}

/** A layer and what it is wanted as: whoever gets it compares both. */
export interface SpecifiedLayer extends Layer {
  readonly spec: LayerSpec;
}

/** What decides whether an envelope is to be believed. */
export interface ManifestOpener {
  open(envelope: Envelope): LayerManifest;
}

/** The layer in an envelope; SystemError `layer-untrusted`, `layer-revoked`, or `layer-corrupt` when it belongs elsewhere. */
export function toLayer(objectKey: string, envelope: Envelope, trust: ManifestOpener): Layer {
  const manifest = trust.open(envelope);
  const place = manifestKey(manifest.scope, manifest.key);
  if (place !== objectKey) throw new SystemError('layer-corrupt', `${objectKey} holds what belongs at ${place}`);
  return { objectKey, manifest, envelope };
}

/** The layer under this object key, or null when there is none. */
export async function readLayer(store: ObjectStore, objectKey: string, trust: ManifestOpener): Promise<Layer | null> {
  const content = await readObject(store, objectKey, ENVELOPE_BYTES_MAX);
  return content === null ? null : toLayer(objectKey, decodeEnvelope(content), trust);
}
