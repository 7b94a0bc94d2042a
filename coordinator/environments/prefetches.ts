/**
 * Owns prefetches: which agents were asked to get which layers before they are needed, and how far each is.
 * Never fetches. A prefetch is kept in memory only: what it has brought stays on the agents, and asking again is cheap.
 * Invariants: an agent's share is over once, as done or failed; the prefetch is over when every share is.
 */
import { LRUCache } from 'lru-cache';
import { type Clock, type Random, toTimestamp } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import { EventLog } from '../../shared/http/event-log.ts';
import { type AgentId, createId } from '../../shared/ids.ts';
import type { LayerReference } from '../../shared/model/manifest.ts';
import type { LayersProgress } from '../agents/agent-session.ts';
import type { Fleet, FleetAgent } from '../agents/fleet.ts';

/** How far one agent is. */
export interface AgentShare {
  readonly agent: string;
  readonly state: 'fetching' | 'done' | 'failed';
  readonly bytes: number;
  readonly bytesTotal: number;
  readonly fraction: number;
  readonly failure: { readonly code: string; readonly detail: string } | null;
}

/** A prefetch as operators see it. */
export interface PrefetchAnswer {
  readonly id: string;
  readonly environment: string;
  readonly state: 'fetching' | 'done' | 'failed';
  readonly agents: AgentShare[];
  readonly createdAt: string;
  readonly finishedAt: string | null;
}

interface Prefetch {
  readonly log: EventLog;
  readonly shares: Map<string, AgentShare>;
  answer: PrefetchAnswer;
}

const LOG_BYTES_MAX = 256 * 1024;
const KEPT_MAX = 1000;

/** See the head of this file. */
export class Prefetches {
  readonly #deps: { readonly clock: Clock; readonly random: Random; readonly fleet: Fleet };
  readonly #all = new LRUCache<string, Prefetch>({ max: KEPT_MAX });

  constructor(deps: { clock: Clock; random: Random; fleet: Fleet }) {
    this.#deps = deps;
  }

  /** Asks these agents; one that is not connected has failed already. */
  begin(
    environment: string,
    references: readonly LayerReference[],
    agentIds: readonly string[],
    bytesTotal: number,
  ): PrefetchAnswer {
    const { clock, random, fleet } = this.#deps;
    const id = createId('prefetch', random);
    const fresh: AgentShare[] = agentIds.map((agent) => ({
      ...{ agent, bytes: 0, bytesTotal, fraction: 0, failure: null },
      state: 'fetching',
    }));
    const createdAt = toTimestamp(clock.nowMs());
    const prefetch: Prefetch = {
      log: new EventLog(LOG_BYTES_MAX),
      shares: new Map(fresh.map((share) => [share.agent, share])),
      answer: { id, environment, state: 'fetching', agents: fresh, createdAt, finishedAt: null },
    };
    this.#all.set(id, prefetch);
    for (const agentId of agentIds) {
      const agent = fleet.get(agentId as AgentId);
      if (agent === undefined) this.#fail(prefetch, agentId, `agent ${agentId} is not connected`);
      else agent.send({ type: 'layers.prefetch', prefetch: id, layers: [...references] });
    }
    return prefetch.answer;
  }

  /** Takes what an agent says; about an unknown prefetch it says nothing to us. */
  progressed(agentId: AgentId, { prefetch: id, bytes, bytesTotal, isDone, failure }: LayersProgress): void {
    const prefetch = this.#all.get(id);
    if (prefetch === undefined) return;
    const state = failure !== null ? 'failed' : isDone ? 'done' : 'fetching';
    const fraction = state === 'done' || bytesTotal === 0 ? 1 : Math.min(1, bytes / bytesTotal);
    this.#update(prefetch, { agent: agentId, state, bytes, bytesTotal, fraction, failure });
  }

  /** An agent's connection is gone: what it was fetching is not waited for. */
  left(agent: FleetAgent): void {
    for (const prefetch of this.#all.values()) this.#fail(prefetch, agent.id, `agent ${agent.id} was lost`);
  }

  #fail(prefetch: Prefetch, agentId: string, detail: string): void {
    const share = prefetch.shares.get(agentId);
    if (share?.state !== 'fetching') return;
    this.#update(prefetch, { ...share, state: 'failed', failure: { code: 'agent-lost', detail } });
  }

  #update(prefetch: Prefetch, share: AgentShare): void {
    if (prefetch.shares.get(share.agent)?.state !== 'fetching') return;
    prefetch.shares.set(share.agent, share);
    const agents = [...prefetch.shares.values()];
    prefetch.answer = { ...prefetch.answer, agents };
    prefetch.log.append('progress', share, 256);
    if (agents.some(({ state }) => state === 'fetching')) return;
    const state = agents.every((one) => one.state === 'done') ? 'done' : 'failed';
    prefetch.answer = { ...prefetch.answer, state, finishedAt: toTimestamp(this.#deps.clock.nowMs()) };
    prefetch.log.close('finished', prefetch.answer);
  }

  /** How far it is; SystemError `not-found`. */
  get(id: string): PrefetchAnswer {
    return this.#find(id).answer;
  }

  /** Its events: `progress` for each agent, then `finished`; SystemError `not-found`. */
  logOf(id: string): EventLog {
    return this.#find(id).log;
  }

  #find(id: string): Prefetch {
    const prefetch = this.#all.get(id);
    if (prefetch !== undefined) return prefetch;
    throw new SystemError(
      'not-found',
      `there is no prefetch ${id.slice(0, 100)}, or it was forgotten; ask for another`,
    );
  }
}
