/**
 * Makes fake build services hand out a base of this machine's own programs as every layer, so that real programs run without any registry.
 */
import { zstdCompressSync } from 'node:zlib';
import { digestOf } from '../../shared/digest.ts';
import { blobKey } from '../../shared/layers/layer-manifest.ts';
import { describeBytes, type ObjectStore } from '../../shared/storage/object-store.ts';
import type { BuildScript } from './fake-build-services.ts';
import { makeReport } from './lease-results.ts';
import { tarOfBase } from './real-launcher.ts';

/** Puts the base into the store; the script of builds that end with it. */
export async function storeBase(store: ObjectStore): Promise<BuildScript> {
  const tar = tarOfBase();
  const blob = zstdCompressSync(tar);
  await store.put(blobKey(digestOf(blob)), blob, describeBytes(blob));
  return ({ buildId }) => {
    const facts = { digest: digestOf(tar), bytes: tar.length, entries: 1, rules: 1 };
    const layer = {
      buildId,
      blob: { digest: digestOf(blob), bytes: blob.length },
      tar: facts,
      variables: { BASE: 'ours' },
    };
    const end = { verify: null, materials: [], isNetworkUnreachable: false, isPrivate: false };
    return [{ type: 'finished', endedIn: null, report: makeReport(), layer, ...end }];
  };
}
