/**
 * Owns whether a result is to be doubted: something was seen that changes its times, and one of them is near its limit. Pure.
 * Never decides what becomes of it (reruns). Invariant: what can't be proven is not doubted, else whatever a virtual machine says would run twice.
 */
import type { Rerun } from '../../shared/model/timing-certificate.ts';
import type { Report } from '../../shared/model/verdict.ts';
import type { LeaseResultMessage } from '../../shared/protocol/agent-messages.ts';
import type { LeaseOrderMessage } from '../../shared/protocol/coordinator-messages.ts';

/** A time that is near its limit. */
export type NearLimit = Pick<Rerun['first'], 'limit' | 'allowed' | 'observed'>;

type TimedOrder = Pick<LeaseOrderMessage, 'terminal' | 'run'>;

const timeLimits = ['cpuTimeMs', 'wallTimeMs'] as const;

/**
 * The time of a doubtful result that is nearest to its limit, by at most `percent` hundredths of that on either side; null: it is not doubted, or can't be
 * had again: somebody has typed into it, or files that it left have been sent.
 */
export function findDoubt(order: TimedOrder, result: LeaseResultMessage, percent: number): NearLimit | null {
  if (result.certificate?.clean !== false || result.failure !== null) return null;
  if (order.terminal !== undefined || (result.files?.length ?? 0) > 0) return null;
  let nearest: NearLimit | null = null;
  for (const report of [result.run, ...(result.tests ?? []).map((test) => test.report)]) {
    const found = report === null ? null : findNear(report, order.run.limits, percent);
    if (found !== null && (nearest === null || distanceOf(found) < distanceOf(nearest))) nearest = found;
  }
  return nearest;
}

function findNear({ usage }: Report, limits: LeaseOrderMessage['run']['limits'], percent: number): NearLimit | null {
  const near = timeLimits
    .map((limit) => ({ limit, allowed: limits[limit], observed: usage[limit] }))
    .filter((each) => distanceOf(each) <= percent / 100)
    .sort((one, other) => distanceOf(one) - distanceOf(other));
  return near[0] ?? null;
}

/** As a part of the limit. */
function distanceOf({ allowed, observed }: NearLimit): number {
  return Math.abs(observed - allowed) / allowed;
}
