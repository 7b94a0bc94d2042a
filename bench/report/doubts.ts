/**
 * Owns how many reasons for a doubt are shown: the first few, and how many more there are; the recording has them all.
 */

const SHOWN = 5;

/** The first few. */
export function inShort(reasons: readonly string[]): string[] {
  const more = reasons.length - SHOWN;
  return more > 1 ? [...reasons.slice(0, SHOWN), `and ${more} reasons more of the kind`] : [...reasons];
}
