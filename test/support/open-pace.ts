/**
 * A pace that lets everything be told at once, for tests of what is told and not when.
 * Never waits, and counts nothing.
 */
import type { LeasePace } from '../../agent/execution/pace.ts';

const nothing = (): void => undefined;

/** Whoever uses it tells as it comes. */
export function openPace(): LeasePace {
  return { isOpen: true, told: nothing, wait: nothing, rest: nothing };
}
