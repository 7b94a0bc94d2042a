/**
 * Owns how one of several coordinators goes away while its clients go on: what runs here ends here, all else is for the others, and whoever still asks here
 * is passed on to them. Never ends anything that could end well in time.
 * Invariant: it leaves its tenants when nothing durable of them runs here, or the time for that is over.
 */
import { type Clock, passed } from '../shared/clock.ts';
import type { AgentGateway } from './agents/agent-gateway.ts';
import type { Cluster } from './cluster/cluster.ts';
import type { ExecutionService } from './executions/execution-service.ts';
import type { Leaving } from './http/leaving.ts';

/** Who takes part. */
export interface Leavers {
  readonly clock: Clock;
  readonly leaving: Pick<Leaving, 'leave' | 'quiet'>;
  readonly executions: Pick<ExecutionService, 'leave' | 'drain'>;
  readonly gateway: Pick<AgentGateway, 'release'>;
  readonly cluster: Pick<Cluster, 'drain' | 'leave'>;
}

/** How long, in milliseconds. */
export interface LeavingOptions {
  readonly drainNoticeMs: number;
  readonly drainMsMax: number;
}

/** How often agents that have become idle are sent to other coordinators. */
const AGENT_RELEASE_MS = 100;
/** How long answers may take that others give through here when the tenants are theirs. */
const ANSWERS_MS_MAX = 10_000;

/** Resolves when nobody needs this coordinator any more. */
export async function leaveToOthers(leavers: Leavers, { drainNoticeMs, drainMsMax }: LeavingOptions): Promise<void> {
  const { clock, leaving, executions, gateway, cluster } = leavers;
  leaving.leave();
  executions.leave();
  let isOver = false;
  const releaseAgents = async () => {
    for (; !isOver; await passed(clock, AGENT_RELEASE_MS)) gateway.release();
  };
  const releasing = releaseAgents();
  await Promise.all([passed(clock, drainNoticeMs), executions.drain(drainMsMax), cluster.drain(drainMsMax)]);
  isOver = true;
  await releasing;
  await cluster.leave();
  await leaving.quiet(ANSWERS_MS_MAX);
}
