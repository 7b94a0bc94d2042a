/**
 * Owns adding up how far several downloads are, for one listener. Never downloads.
 * Invariant: what is told never exceeds the total, and a download that begins again is counted once.
 */
import type { LayerManifest } from '../model/manifest.ts';
import type { FetchListener } from './layer-source.ts';

/** For each of these layers something to tell the bytes that have come of it; the listener hears the sum. */
export function toProgress(
  manifests: readonly LayerManifest[],
  listener: FetchListener | undefined,
): (manifest: LayerManifest) => (bytes: number) => void {
  const total = manifests.reduce((sum, { blob }) => sum + blob.bytes, 0);
  const received = new Map<string, number>();
  return ({ tar }) =>
    (bytes) => {
      received.set(tar.digest, bytes);
      listener?.(
        Math.min(
          total,
          [...received.values()].reduce((sum, more) => sum + more, 0),
        ),
        total,
      );
    };
}
