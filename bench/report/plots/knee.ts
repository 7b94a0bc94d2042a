/**
 * Owns where a curve of throughput bends: the fewest at once that already give nine tenths of the most that was seen.
 * Never guesses beyond what was measured: a curve whose last point alone is that good has no knee yet.
 */

/** One measured point. */
export interface CurvePoint {
  readonly x: number;
  readonly y: number;
}

/** What a knee gives of the most. */
export const KNEE_SHARE = 0.9;

/** The knee of points in ascending order of x; null where the curve still climbs at its last point, or has fewer than three. */
export function kneeOf(points: readonly CurvePoint[]): CurvePoint | null {
  const most = Math.max(...points.map(({ y }) => y));
  const knee = points.find(({ y }) => y >= KNEE_SHARE * most);
  return points.length < 3 || knee === undefined || knee === points.at(-1) ? null : knee;
}
