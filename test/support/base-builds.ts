/**
 * Makes fake build services hand out a base of this machine's own programs, so that real programs run without any registry.
 */
import { zstdCompressSync } from 'node:zlib';
import { digestOf } from '../../shared/digest.ts';
import { blobKey } from '../../shared/layers/layer-manifest.ts';
import { describeBytes, type ObjectStore } from '../../shared/storage/object-store.ts';
import type { BuildScript } from './fake-build-services.ts';
import { makeReport } from './lease-results.ts';
import { tarOfBase } from './real-launcher.ts';
import { tarOf } from './tar-pieces.ts';

/** Puts the base into the store; the script of builds that end with it, whatever layer is wanted. */
export function storeBase(store: ObjectStore): Promise<BuildScript> {
  return storeLayer(store, tarOfBase());
}

/**
 * The same, and for whatever is above a base one of so many layers of their own, by the digits of its script: a file `/number` that begins with
 * them and a line's end, and has so many bytes.
 */
export async function storeNumbered(store: ObjectStore, count: number, bytes: number): Promise<BuildScript> {
  const base = await storeBase(store);
  const numbered: BuildScript[] = [];
  for (let number = 0; number < count; number += 1) {
    const body = Buffer.alloc(bytes);
    body.write(`${number}\n`);
    numbered.push(await storeLayer(store, tarOf({ name: 'number', body })));
  }
  return (order) => {
    const number = order.kind === 'base' ? null : Number(/\d+/.exec(JSON.stringify(order.script))?.[0]);
    const script = number === null ? base : numbered[number];
    if (script === undefined) throw new Error(`there is no layer ${number}`);
    return script(order);
  };
}

/** The same with a tar of the caller's. */
export async function storeLayer(store: ObjectStore, tar: Buffer): Promise<BuildScript> {
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
