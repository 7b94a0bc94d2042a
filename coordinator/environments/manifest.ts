/**
 * Owns reading signed manifests from the object store: where they are and whether one is what was asked for.
 * Never signs, never writes. Agents check signatures; here key and scope are compared so that a misplaced object is never handed out.
 */
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { SystemError } from '../../shared/errors.ts';
import { Envelope, LayerManifest } from '../../shared/model/manifest.ts';
import { type ObjectStore, readObject } from '../../shared/storage/object-store.ts';

const MANIFEST_BYTES_MAX = 1024 * 1024;
const envelopeCheck = TypeCompiler.Compile(Envelope);
const manifestCheck = TypeCompiler.Compile(LayerManifest);

/** A published layer. */
export interface Layer {
  readonly objectKey: string;
  readonly manifest: LayerManifest;
  readonly envelope: Envelope;
}

/** `shared`, or the scope of one tenant. */
export function tenantScope(tenantId: string): string {
  return `tenant-${tenantId}`;
}

/** Where the manifest of a layer is kept. */
export function manifestKey(scope: string, key: string): string {
  return `manifests/${scope}/${key}.dsse`;
}

/** Reads an envelope's payload; SystemError `layer-corrupt` when it is not the manifest that belongs under this object key. */
export function toLayer(objectKey: string, envelope: unknown): Layer {
  const wrong = (why: string) => new SystemError('layer-corrupt', `${objectKey} ${why}`);
  if (!envelopeCheck.Check(envelope)) throw wrong('is not an envelope');
  let manifest: unknown;
  try {
    manifest = JSON.parse(Buffer.from(envelope.payload, 'base64').toString());
  } catch {
    throw wrong('holds no JSON');
  }
  if (!manifestCheck.Check(manifest)) throw wrong('is not a manifest');
  if (manifestKey(manifest.scope, manifest.key) !== objectKey) throw wrong('belongs somewhere else');
  return { objectKey, manifest, envelope };
}

/** The layer under this object key, or null when there is none. */
export async function readLayer(store: ObjectStore, objectKey: string): Promise<Layer | null> {
  const content = await readObject(store, objectKey, MANIFEST_BYTES_MAX);
  if (content === null) return null;
  try {
    return toLayer(objectKey, JSON.parse(Buffer.from(content).toString()));
  } catch (cause) {
    if (cause instanceof SystemError) throw cause;
    throw new SystemError('layer-corrupt', `${objectKey} holds no JSON`, { cause });
  }
}
