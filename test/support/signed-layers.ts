/**
 * Owns small real layers for tests: a tar, its zstd blob, a manifest signed by a fresh key.
 */
import { generateKeyPairSync } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import { digestOf } from '../../shared/digest.ts';
import { type SigningKey, toSigningKey, toTrustedKey } from '../../shared/layers/envelope.ts';
import { machineArchitecture, signManifest } from '../../shared/layers/layer-manifest.ts';
import { digestOfSpec } from '../../shared/layers/layer-spec.ts';
import type { LayerManifest, LayerReference, TrustedKey } from '../../shared/model/manifest.ts';
import { specOf } from './layer-specs.ts';
import { tarOf } from './tar-pieces.ts';

/** A layer with everything that a test may want to tamper with. */
export interface TestLayer {
  readonly tar: Buffer;
  readonly blob: Buffer;
  readonly manifest: LayerManifest;
  readonly reference: LayerReference;
}

/** A fresh signing key and its public half. */
export function createTestKey(): { readonly signing: SigningKey; readonly trusted: TrustedKey } {
  const signing = toSigningKey(generateKeyPairSync('ed25519').privateKey);
  return { signing, trusted: toTrustedKey(signing) };
}

/** A layer of one file that holds `text`, as big as `bytes`; `changes` are made to the manifest before it is signed. */
export function createTestLayer(
  key: SigningKey,
  text: string,
  bytes = text.length,
  changes: Partial<LayerManifest> = {},
  url = `http://127.0.0.1:1/${text}`,
): TestLayer {
  const tar = tarOf({ name: 'file', body: text.padEnd(bytes) });
  const blob = zstdCompressSync(tar);
  const { kind = 'base', base = 'debian-13', architecture = machineArchitecture, parents = [] } = changes;
  const spec = specOf(text, { kind, base, architecture });
  const manifest: LayerManifest = {
    version: 1,
    key: `key-of-${digestOf(text).slice(7, 27)}`,
    specDigest: digestOfSpec(spec, parents),
    scope: 'shared',
    ...{ kind, base, architecture, parents },
    blob: { digest: digestOf(blob), bytes: blob.length, codec: 'zstd' },
    tar: { digest: digestOf(tar), bytes: tar.length, entries: 1, rules: 1 },
    variables: {},
    builtAt: '2026-01-01T00:00:00.000Z',
    provenance: null,
    ...changes,
  };
  return { tar, blob, manifest, reference: { spec, envelope: signManifest(manifest, key), url, origin: 'stored' } };
}
