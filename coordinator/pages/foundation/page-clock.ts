/**
 * Owns time in the page: what time it is, and being called later. Never keeps the page awake: who waits for something hidden is called when it is shown.
 * The page's only timers are here.
 */

/** Milliseconds since 1970. */
export const nowMs = (): number => Date.now();

/** Calls once after a time in milliseconds; what it gives cancels that. */
export function after(delayMs: number, call: () => void): () => void {
  const timer = setTimeout(call, delayMs);
  return () => clearTimeout(timer);
}
