/**
 * Owns how many items of a listing are one page when some are large: no more than memory has room for. Pure.
 */

/** Of items of these sizes, in order: at most `limit`, no more than `bytesMax` together, but one if there is one. */
export function countOnPage(sizes: readonly number[], limit: number, bytesMax: number): number {
  const offered = sizes.slice(0, limit);
  let bytes = 0;
  const tooMuch = offered.findIndex((size, index) => {
    bytes += size;
    return index > 0 && bytes > bytesMax;
  });
  return tooMuch < 0 ? offered.length : tooMuch;
}
