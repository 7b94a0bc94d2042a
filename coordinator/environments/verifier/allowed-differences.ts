/**
 * Owns the list of what may differ between two builds of one layer that fetched the same: which files, which of their bytes, and why
 * nobody is harmed by it. docs/layers.md shows the same list.
 * Never allows another name, type, owner, mode or link, nor any byte that a program executes or that decides which one is executed.
 */

/** How a file is looked at where it may differ. */
export interface AllowedDifference {
  readonly path: RegExp;
  /** Which bytes do not count, from..to; null: none of them does, nor how many there are. */
  readonly ignored: readonly [from: number, to: number] | null;
  readonly reason: string;
}

// biome-ignore format: a table
export const allowedDifferences: readonly AllowedDifference[] = [
  { path: /(^|\/)__pycache__\/[^/]+\.pyc$/, ignored: [8, 16],
    reason: 'the stamp of compiled Python: time and size of its source, or its digest; the code behind it counts' },
  { path: /(^|\/)\.git\/objects\/pack\/pack-[0-9a-f]{40,64}\.(pack|idx|rev)$/, ignored: null,
    reason: "how a server packed a repository's objects; git finds an object by the digest of what it holds" },
  { path: /(^|\/)\.git\/index$/, ignored: null,
    reason: 'times and inode numbers of the checked-out files, whose contents count; read by git alone' },
  { path: /(^|\/)\.git\/(logs\/(HEAD|refs\/[^.]+)|FETCH_HEAD)$/, ignored: null,
    reason: 'when a reference was fetched; the references themselves count' },
];

/** The rule for this path, or null when every byte of it counts. */
export function allowedDifferenceOf(path: string): AllowedDifference | null {
  return allowedDifferences.find((allowed) => allowed.path.test(path)) ?? null;
}
