/**
 * Owns the sentence for whoever waited as long as it may: what was missing, and when to ask again. Pure. Never decides that the time is over.
 */
import { SystemError } from '../../shared/errors.ts';
import { toRetrySeconds } from './scheduler.ts';

/** What is known when the time is over. */
export interface Wait {
  readonly tenantId: string;
  readonly waitMsMax: number;
  readonly agents: number;
  readonly fitting: number;
  /** As many of its tenant as may run at once were running. */
  readonly isHeldBack: boolean;
  readonly forecastMs: number;
}

/** Why a demand is given up that waited for `waitMsMax`. */
export function toGaveUp({ tenantId, waitMsMax, agents, fitting, isHeldBack, forecastMs }: Wait): SystemError {
  const detail = isHeldBack
    ? `tenant ${tenantId} ran as much at once as it may (concurrencyMax), and this waited for ${waitMsMax} ms`
    : `no agent could take this within ${waitMsMax} ms; ${agents} are connected, ${fitting} of them fit its placement`;
  return new SystemError('no-agent', detail, { retryAfterSeconds: toRetrySeconds(forecastMs) });
}
