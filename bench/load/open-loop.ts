/**
 * Owns load that does not wait for answers: arrivals by chance at a rate that changes with time, and what becomes of each.
 * Never leaves out what a slow system made late: a duration begins when its arrival was due, whether or not it could be sent then.
 * Invariant: the same seed gives the same arrivals.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Generator } from '../statistics/generator.ts';

/** When arrivals are due, in milliseconds from the start: a Poisson process whose rate per second at each moment `rateAt` says, at most `rateMax`. */
export function arrivals(
  numbers: Generator,
  durationMs: number,
  rateMax: number,
  rateAt: (ms: number) => number = () => rateMax,
): number[] {
  const due: number[] = [];
  for (let at = 0; ; ) {
    at += (-Math.log(1 - numbers.share()) * 1000) / rateMax;
    if (at >= durationMs) return due;
    if (numbers.share() * rateMax < rateAt(at)) due.push(at);
  }
}

/** What became of one arrival. */
export interface Arrived<Outcome> {
  /** Milliseconds from the start at which it was due. */
  readonly dueMs: number;
  /** From then to its end. */
  readonly tookMs: number;
  /** How late it was sent: the load generator's own fault. */
  readonly lateMs: number;
  readonly outcome: Outcome;
}

/** Does `act` for each at its time, however many are under way; resolves when all have ended. */
export async function openLoop<Outcome>(
  due: readonly number[],
  act: (index: number) => Promise<Outcome>,
): Promise<Arrived<Outcome>[]> {
  const from = performance.now();
  const one = async (dueMs: number, index: number): Promise<Arrived<Outcome>> => {
    const lateMs = performance.now() - from - dueMs;
    const outcome = await act(index);
    return { dueMs, lateMs, outcome, tookMs: performance.now() - from - dueMs };
  };
  const underWay: Promise<Arrived<Outcome>>[] = [];
  for (const [index, dueMs] of due.entries()) {
    const rest = dueMs - (performance.now() - from);
    if (rest > 0) await pause(rest);
    const running = one(dueMs, index);
    // Heard of below, with all the others.
    running.catch(() => undefined);
    underWay.push(running);
  }
  return await Promise.all(underWay);
}
