/**
 * Owns what agents refused by their owners' policies, so that they are not asked the same again and again: neither for this demand nor for another
 * one that no policy could tell from it. What an hour may change is asked again sooner.
 * Never tells why. Invariant: what is remembered ends by itself, and with the agent's connection.
 */
import type { Clock } from '../../shared/clock.ts';
import type { AgentId } from '../../shared/ids.ts';
import { type SiteCase, textOf } from '../pools/site-case.ts';

/** What a policy objects to: this work at any hour, or at this moment. */
export type PolicyObjection = 'lasting' | 'passing';

const LASTING_MS = 60_000;
const PASSING_MS = 2000;
/** Different pieces of work that are remembered; the oldest goes first. */
const REMEMBERED_MAX = 10_000;
const nobody: ReadonlySet<AgentId> = new Set();

/** See the head of this file. */
export class Refusals {
  readonly #clock: Clock;
  readonly #all = new Map<string, Map<AgentId, number>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** An agent has refused this work. */
  add(site: SiteCase, agentId: AgentId, objection: PolicyObjection): void {
    const text = textOf(site);
    const agents = this.#all.get(text) ?? new Map<AgentId, number>();
    const [oldest] = this.#all.keys();
    if (this.#all.size >= REMEMBERED_MAX && oldest !== undefined) this.#all.delete(oldest);
    const forMs = objection === 'lasting' ? LASTING_MS : PASSING_MS;
    this.#all.set(text, agents.set(agentId, this.#clock.monotonicMs() + forMs));
  }

  /** Agents that are not to be asked for this now. */
  of(site: SiteCase): ReadonlySet<AgentId> {
    if (this.#all.size === 0) return nobody;
    const agents = this.#all.get(textOf(site));
    return agents === undefined ? nobody : new Set(agents.keys());
  }

  /** This agent may answer otherwise now: it has come anew. */
  forget(agentId: AgentId): void {
    for (const [text, agents] of this.#all) if (agents.delete(agentId) && agents.size === 0) this.#all.delete(text);
  }

  /** Forgets what is over. */
  sweep(): void {
    const now = this.#clock.monotonicMs();
    for (const [text, agents] of this.#all) {
      for (const [agentId, untilMs] of agents) if (untilMs <= now) agents.delete(agentId);
      if (agents.size === 0) this.#all.delete(text);
    }
  }
}
