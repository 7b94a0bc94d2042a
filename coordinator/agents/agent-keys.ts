/**
 * Owns the signed list of agents' keys as this coordinator has it and serves it: asked for anew when an agent was enrolled or retired, and
 * with every trust state, so that both follow a turn of the signing key together.
 * Never signs (verifier), and never decides who is let in beyond who was retired.
 * Invariants: whoever was enrolled or retired before `current` was called is in what it resolves with, if the verifier answers; once there
 * is a list, no agent waits for the verifier.
 */
import { atMost, type Clock, type Timer, toTimestamp } from '../../shared/clock.ts';
import { SystemError, toSystemError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import type { AgentKey, AgentKeyList } from '../../shared/model/agent-keys.ts';
import type { Envelope } from '../../shared/model/manifest.ts';
import { openAgentKeys } from '../../shared/receipts/agent-key-list.ts';
import type { Verifier } from '../environments/verifier-client.ts';
import type { AgentStore, EnrolledAgent } from '../executions/state-store.ts';

/** What the list is made with. */
export interface AgentKeysDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly agents: Pick<AgentStore, 'list' | 'get'>;
  readonly verifier: Pick<Verifier, 'signAgentKeys'>;
  /** Called with everybody who is retired, at every list: a connection of such an agent ends. */
  readonly retired: (agentId: string) => void;
}

/** While the verifier does not answer it is asked again after this time. */
const RETRY_MS = 1000;
/** Whoever wants the newest list gets the one before it when the verifier takes longer. */
const WAIT_MS_MAX = 2000;

/** See the head of this file. */
export class AgentKeys {
  readonly #deps: AgentKeysDeps;
  #envelope: Envelope | null = null;
  #version = 0;
  #known: ReadonlyMap<string, AgentKey> = new Map();
  /** Has not begun yet: whatever changes now is in it. */
  #waiting: Promise<void> | null = null;
  #last: Promise<void> = Promise.resolve();
  #timer: Timer | null = null;
  #isStopped = false;

  constructor(deps: AgentKeysDeps) {
    this.#deps = deps;
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  /** Has the list signed anew; never rejects, and tries again by itself. */
  renew(): Promise<void> {
    if (this.#waiting !== null) return this.#waiting;
    const turn = this.#last.then(() => {
      this.#waiting = null;
      return this.#sign();
    });
    this.#waiting = turn;
    this.#last = turn;
    return turn;
  }

  async #sign(): Promise<void> {
    if (this.#isStopped) return;
    const { agents, verifier, log, clock } = this.#deps;
    try {
      this.#take(await verifier.signAgentKeys({ agents: (await agents.list()).map((agent) => toAgentKey(agent)) }));
    } catch (error) {
      log.warn({ reason: toSystemError(error).message }, "agents' keys not signed");
      this.#timer?.cancel();
      this.#timer = clock.after(RETRY_MS, () => void this.renew());
    }
  }

  #take({ envelope }: { envelope: Envelope }): void {
    const list: AgentKeyList = openAgentKeys(envelope, null);
    if (list.version < this.#version) return;
    this.#envelope = envelope;
    this.#version = list.version;
    this.#known = new Map(list.agents.map((agent) => [agent.agentId, agent]));
    for (const { agentId, retiredAt } of list.agents) if (retiredAt !== undefined) this.#deps.retired(agentId);
  }

  /** The newest list; SystemError `verifier-unavailable` while there has been none. */
  async current(): Promise<Envelope> {
    if (this.#envelope === null) await this.renew();
    else await this.#underWay();
    if (this.#envelope !== null) return this.#envelope;
    throw new SystemError('verifier-unavailable', "the verifier has signed no list of agents' keys yet", {
      retryAfterSeconds: 2,
    });
  }

  /** Resolves when what is under way is done, or takes too long. */
  #underWay(): Promise<void> {
    return atMost(this.#deps.clock, WAIT_MS_MAX, this.#last);
  }

  /** Is this agent in the list? */
  has(agentId: string): boolean {
    return this.#known.has(agentId);
  }

  /** Is this agent's key not to be believed from some moment on? SystemError `verifier-unavailable` while nobody knows. */
  async isRetired(agentId: string): Promise<boolean> {
    if (this.#envelope === null) await this.current();
    return this.#known.get(agentId)?.retiredAt !== undefined;
  }

  /** Retires an agent for ever: it stays in the list, marked. SystemError `agent-not-found`, or `verifier-unavailable` and nothing has happened. */
  async retire(agentId: string): Promise<AgentKey> {
    const { agents, verifier, log, clock } = this.#deps;
    const agent = await agents.get(agentId);
    if (agent === null) throw new SystemError('agent-not-found', `there is no agent ${agentId}`);
    const retiring = { ...toAgentKey(agent), retiredAt: toTimestamp(clock.nowMs()) };
    this.#take(await verifier.signAgentKeys({ agents: [retiring] }));
    log.warn({ agentId }, 'agent retired');
    return this.#known.get(agentId) ?? retiring;
  }
}

function toAgentKey({ id, name, pool, publicKey, enrolledAtMs }: EnrolledAgent): AgentKey {
  return { agentId: id, name, pool, publicKey, enrolledAt: toTimestamp(enrolledAtMs) };
}
