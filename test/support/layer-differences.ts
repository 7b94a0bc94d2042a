/**
 * Owns saying how two staged layers differ, by the verifier's own reading of both: names, and for a text its lines.
 */
import { readFileSync } from 'node:fs';
import { zstdDecompressSync } from 'node:zlib';
import { LayerListing } from '../../coordinator/environments/verifier/layer-listing.ts';
import { TarCheck } from '../../coordinator/environments/verifier/tar-check.ts';

const bounds = { entriesMax: 500_000, bytesMax: 16 * 1024 ** 3 };

function listingOf(path: string): LayerListing {
  const listing = new LayerListing();
  const check = new TarCheck(bounds, listing);
  check.push(zstdDecompressSync(readFileSync(path)));
  check.finish();
  return listing;
}

/** The names of what is not the same in both staged files. */
export function differencesOf(first: string, second: string): string[] {
  const { differing, allowed } = listingOf(first).compare(listingOf(second));
  return [...differing, ...allowed].map((path) => Buffer.from(path, 'latin1').toString('utf8'));
}
