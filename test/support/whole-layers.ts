/**
 * Owns the look for half layers in a store on disk: every manifest opens, and its blob and its provenance lie there with their digests.
 * Never changes the store; may look while it is written. A blob without a manifest is no layer: nobody finds it, and the sweep takes it.
 */
import assert from 'node:assert/strict';
import { digestOf } from '../../shared/digest.ts';
import {
  blobKey,
  decodeEnvelope,
  ENVELOPE_BYTES_MAX,
  openManifest,
  provenanceKey,
} from '../../shared/layers/layer-manifest.ts';
import { DirectoryObjectStore } from '../../shared/storage/directory-object-store.ts';
import { readObject } from '../../shared/storage/object-store.ts';

const BLOB_BYTES_MAX = 2 ** 30;

/** Asserts that no half layer is visible; how many whole ones are. `checked` remembers manifests that were whole before. */
export async function assertWholeLayers(
  folder: string,
  keys: Parameters<typeof openManifest>[1],
  checked = new Set<string>(),
): Promise<number> {
  const store = new DirectoryObjectStore(folder);
  const bytesOf = async (key: string, bytesMax = ENVELOPE_BYTES_MAX): Promise<Uint8Array> => {
    const bytes = await readObject(store, key, bytesMax);
    assert.ok(bytes !== null, `${key} is not in the store`);
    return bytes;
  };
  for await (const { key } of store.list('manifests/')) {
    if (checked.has(key)) continue;
    const manifest = openManifest(decodeEnvelope(Buffer.from(await bytesOf(key))), keys);
    const { blob, provenance } = manifest;
    const stored = await bytesOf(blobKey(blob.digest), BLOB_BYTES_MAX);
    assert.deepEqual([digestOf(stored), stored.length], [blob.digest, blob.bytes], `the blob of ${key}`);
    assert.ok(provenance !== null, key);
    assert.equal(digestOf(await bytesOf(provenanceKey(provenance))), provenance, `the provenance of ${key}`);
    checked.add(key);
  }
  return checked.size;
}
