/**
 * Owns how often a build's progress is told: not more often than people can read it.
 */
import type { Clock } from '../../shared/clock.ts';
import type { BuildEvent } from '../../shared/model/build.ts';

const INTERVAL_MS = 250;

type ProgressEvent = Extract<BuildEvent, { type: 'progress' }>;

/**
 * A function that is told the bytes done so far, and passes on what is worth telling; of how many, when that is known only on the way.
 * `expectedBytes` null: no fraction.
 */
export function createProgress(
  phase: ProgressEvent['phase'],
  emit: (event: ProgressEvent) => void,
  clock: Clock,
  expectedBytes: number | null,
): (bytes: number, expected?: number) => void {
  let toldAtMs = clock.monotonicMs();
  return (bytes, expected) => {
    const nowMs = clock.monotonicMs();
    if (nowMs - toldAtMs < INTERVAL_MS) return;
    toldAtMs = nowMs;
    const whole = expected ?? expectedBytes ?? 0;
    const fraction = whole === 0 ? null : Math.min(1, bytes / whole);
    emit({ type: 'progress', phase, bytes, fraction });
  };
}
