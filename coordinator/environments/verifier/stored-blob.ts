/**
 * Owns bringing a checked blob into the store, and not believing the store when it has one of that name already.
 * Never overwrites: a wrong object in the way is an error that names it, for an operator to purge.
 */
import type { Readable } from 'node:stream';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Digest, DigestingStream } from '../../../shared/digest.ts';
import { SystemError } from '../../../shared/errors.ts';
import { blobKey } from '../../../shared/layers/layer-manifest.ts';
import type { ObjectStore } from '../../../shared/storage/object-store.ts';
import { Refusal } from './refusal.ts';

/** Stores the blob; Refusal `staging-changed` when the source is not what it was when it was checked. */
export async function putBlob(
  store: ObjectStore,
  blob: { readonly digest: string; readonly bytes: number },
  open: () => Readable,
): Promise<void> {
  const key = blobKey(blob.digest);
  const outcome = await store
    .put(key, open(), { bytes: blob.bytes, sha256: blob.digest as Digest })
    .catch((error: unknown) => {
      if (error instanceof SystemError && error.code === 'layer-corrupt') {
        throw new Refusal('staging-changed', 'the staged file was changed while it was being published');
      }
      throw error;
    });
  if (outcome === 'exists') await checkStored(store, key, blob);
}

async function checkStored(
  store: ObjectStore,
  key: string,
  blob: { readonly digest: string; readonly bytes: number },
): Promise<void> {
  const content = await store.get(key);
  if (content === null) throw new SystemError('object-store-unavailable', `${key} came and went`);
  const digesting = new DigestingStream();
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  await pipeline(content.body, digesting, nowhere);
  if (digesting.bytes !== blob.bytes || digesting.digest() !== blob.digest) {
    throw new SystemError('layer-corrupt', `${key} holds other bytes than its name says; purge it, then build again`);
  }
}
