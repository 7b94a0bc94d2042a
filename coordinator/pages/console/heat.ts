/**
 * Owns how hot a layer is: 1 when it is used now, half of that a day later, and so on. Pure; never decides what may go.
 */

const HALF_MS = 86_400_000;

/** From 0 to 1. */
export function toHeat(lastUsedAt: string, nowMs: number): number {
  const ageMs = Math.max(0, nowMs - Date.parse(lastUsedAt));
  return 0.5 ** (ageMs / HALF_MS);
}
