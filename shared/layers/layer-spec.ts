/**
 * Owns what a layer's specification is as bytes, its digest, and the key that everybody may compute from it. Pure: the same specification gives
 * the same text for ever, and test vectors hold it still.
 * Never knows a secret: private keys are the coordinator's, over the same bytes.
 * Invariant: every member of a specification and every parent, in its order, is in the bytes under its own name.
 */
import { createHash } from 'node:crypto';
import { canonicalJson, type Digest, digestOf } from '../digest.ts';
import { SystemError } from '../errors.ts';
import { toBase32 } from '../ids.ts';
import type { LayerManifest, LayerReference, LayerSpec } from '../model/manifest.ts';

/** What the digest of a key begins with: no other digest of ours is over the same bytes. */
export const KEY_DOMAIN = 'depkey/v1\0';

/** What keys of layers that are not private begin with. */
export const SHAREABLE_PREFIX = 'k1s-';
/** What keys of layers begin with that are their tenant's alone. */
export const PRIVATE_PREFIX = 'k1t-';

/** The specification of a layer on parents with these tar digests, lowest first, as canonical JSON. */
export function encodeSpec(spec: LayerSpec, parents: readonly string[]): Buffer {
  return Buffer.from(canonicalJson({ ...spec, parents, os: 'linux', version: 2 }));
}

/** What a manifest signs: the digest of the specification without any key. */
export function digestOfSpec(spec: LayerSpec, parents: readonly string[]): Digest {
  return digestOf(encodeSpec(spec, parents));
}

/** The key of a layer that is not private; `encoded` comes from `encodeSpec`. */
export function shareableKey(encoded: Uint8Array): string {
  const hash = createHash('sha256').update(`${KEY_DOMAIN}shared\0`).update(lengthOf(encoded)).update(encoded);
  return `${SHAREABLE_PREFIX}${toBase32(hash.digest())}`;
}

/** The length of what follows, so that nothing can move from one part of a digest's input to the next. */
export function lengthOf(bytes: Uint8Array): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(bytes.length));
  return length;
}

/**
 * Throws SystemError `layer-untrusted` unless the layer was built for this specification: a right layer is a wrong one for another request.
 * The parents are those that the manifest signs; who mounts layers has compared them with what lies below (checkParents).
 */
export function checkSpec(manifest: LayerManifest, spec: LayerSpec): void {
  const { kind, base, architecture, key, parents, specDigest } = manifest;
  const signed = { kind, base, architecture };
  for (const name of ['kind', 'base', 'architecture'] as const) {
    if (signed[name] !== spec[name]) throw wrongLayer(key, `${name} ${signed[name]}, not ${spec[name]}`);
  }
  const asked = digestOfSpec(spec, parents);
  if (specDigest !== asked) throw wrongLayer(key, `specification ${specDigest}, not ${asked}`);
}

/** The same for layers as they are handed out, each with its own reference. */
export function checkSpecs(manifests: readonly LayerManifest[], references: readonly LayerReference[]): void {
  for (const [index, manifest] of manifests.entries()) checkSpec(manifest, (references[index] as LayerReference).spec);
}

function wrongLayer(key: string, difference: string): SystemError {
  return new SystemError('layer-untrusted', `layer ${key} was built for another request: ${difference}`);
}
