/**
 * Owns a digest of each entry of one layer, taken while the layer is checked, and the comparison of two such listings.
 * Never keeps a body. Idea: the diff of two builds that Nix's `--check` and its hook make, here over the entries of one tar.
 * Invariant: two entries compare as equal only if everything that unpacking them makes is equal, but for bytes that may differ.
 */
import { createHash, type Hash } from 'node:crypto';
import { type AllowedDifference, allowedDifferenceOf } from './allowed-differences.ts';
import type { CheckedEntry, CheckListener } from './tar-check.ts';

/** One entry: what it is, its content, and its content without what may differ. */
interface ListedEntry {
  readonly shape: string;
  readonly whole: string;
  /** Equal to `whole` where nothing may differ. */
  readonly essence: string;
}

/** How two listings differ: names as byte strings, in the layer's order, `differing` beyond what may. */
export interface ListingDifference {
  readonly differing: readonly string[];
  /** Names that differ only where they may. */
  readonly allowed: readonly string[];
}

/** Listens to a TarCheck. */
export class LayerListing implements CheckListener {
  readonly #entries = new Map<string, ListedEntry>();
  #open: { readonly entry: CheckedEntry; readonly allowed: AllowedDifference | null } | null = null;
  #whole: Hash = createHash('sha256');
  #essence: Hash = createHash('sha256');
  #position = 0;

  entry(entry: CheckedEntry): void {
    this.#finishEntry();
    this.#open = { entry, allowed: entry.type === 'regular' ? allowedDifferenceOf(entry.path) : null };
    this.#whole = createHash('sha256');
    this.#essence = createHash('sha256');
    this.#position = 0;
  }

  body(chunk: Buffer): void {
    this.#whole.update(chunk);
    const allowed = this.#open?.allowed ?? null;
    if (allowed !== null && allowed.ignored !== null)
      this.#essence.update(masked(chunk, this.#position, allowed.ignored));
    this.#position += chunk.length;
  }

  /** How the other listing differs from this one. */
  compare(other: LayerListing): ListingDifference {
    this.#finishEntry();
    other.#finishEntry();
    const differing: string[] = [];
    const allowed: string[] = [];
    for (const [path, mine] of this.#entries) {
      const theirs = other.#entries.get(path);
      if (theirs === undefined || theirs.shape !== mine.shape || theirs.essence !== mine.essence) differing.push(path);
      else if (theirs.whole !== mine.whole) allowed.push(path);
    }
    for (const path of other.#entries.keys()) if (!this.#entries.has(path)) differing.push(path);
    return { differing, allowed };
  }

  #finishEntry(): void {
    if (this.#open === null) return;
    const { entry, allowed } = this.#open;
    const { path, type, mode, uid, gid, link, isOpaque } = entry;
    const whole = this.#whole.digest('base64');
    const essence = allowed === null ? whole : this.#essence.digest('base64');
    this.#entries.set(path, {
      shape: JSON.stringify([type, mode, uid, gid, link, isOpaque]),
      whole,
      essence,
    });
    this.#open = null;
  }
}

/** The chunk with the ignored bytes of the file set to zero; the chunk itself when it holds none of them. */
function masked(chunk: Buffer, position: number, [from, to]: readonly [number, number]): Buffer {
  const begin = Math.max(0, from - position);
  const end = Math.min(chunk.length, to - position);
  if (begin >= end) return chunk;
  return Buffer.from(chunk).fill(0, begin, end);
}
