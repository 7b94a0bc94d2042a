/**
 * Owns who is connected: slots, layers held, draining. Never decides who gets what (placement) and never reads a socket.
 * Invariant: an agent's free slots are its slots minus the leases that we gave it; its own count only matters while it is lower than ours.
 */
import type { AgentId } from '../../shared/ids.ts';
import { type SandboxCounts, sumSandboxCounts } from '../../shared/model/sandbox-gauges.ts';
import type { CoordinatorMessage } from '../../shared/protocol/coordinator-messages.ts';
import type { Candidate } from '../scheduler/placement.ts';

/** What an agent says about itself when it comes. */
export interface AgentFacts {
  readonly id: AgentId;
  readonly name: string;
  readonly pool: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly architecture: string;
  readonly release: string;
  readonly kernel: string;
  readonly cores: number;
  readonly memoryBytes: number;
}

/** A connected agent. */
export class FleetAgent implements Candidate {
  readonly facts: AgentFacts;
  readonly layers = new Set<string>();
  readonly connectedAtMs: number;
  readonly #send: (message: CoordinatorMessage) => void;
  slots = 0;
  /** What its launcher counts; null when it did not say. */
  sandbox: SandboxCounts | null = null;
  leases = 0;
  /** Of the newest trust state that it says it has seen. */
  trustVersion = 0;
  isDraining: boolean;
  /** Monotonic time until which it gets no offers, because it refused one. */
  restsUntilMs = 0;
  isResting = false;
  /** Called when another connection of the same agent takes over. */
  superseded: () => void = () => undefined;

  constructor(
    facts: AgentFacts,
    options: { isDraining: boolean; connectedAtMs: number; send: (message: CoordinatorMessage) => void },
  ) {
    this.facts = facts;
    this.isDraining = options.isDraining;
    this.connectedAtMs = options.connectedAtMs;
    this.#send = options.send;
  }

  get id(): AgentId {
    return this.facts.id;
  }

  get architecture(): string {
    return this.facts.architecture;
  }

  get freeSlots(): number {
    return this.isDraining || this.isResting ? 0 : Math.max(0, this.slots - this.leases);
  }

  send(message: CoordinatorMessage): void {
    this.#send(message);
  }

  /** Takes over what the agent reports. */
  report(slots: number, layers: readonly string[], sandbox: SandboxCounts | null = null): void {
    this.sandbox = sandbox;
    this.slots = slots;
    this.layers.clear();
    for (const layer of layers) this.layers.add(layer);
  }
}

/** All connected agents. */
export class Fleet {
  readonly #agents = new Map<AgentId, FleetAgent>();

  join(agent: FleetAgent): void {
    this.#agents.set(agent.id, agent);
  }

  /** Removes exactly this connection's agent; false when another one has taken its place. */
  leave(agent: FleetAgent): boolean {
    if (this.#agents.get(agent.id) !== agent) return false;
    return this.#agents.delete(agent.id);
  }

  get(id: AgentId): FleetAgent | undefined {
    return this.#agents.get(id);
  }

  all(): IterableIterator<FleetAgent> {
    return this.#agents.values();
  }

  get size(): number {
    return this.#agents.size;
  }

  /** Says the same to every connected agent. */
  tell(message: CoordinatorMessage): void {
    for (const agent of this.#agents.values()) agent.send(message);
  }

  /** What the launchers of all agents count, together. */
  sandboxes(): SandboxCounts {
    return sumSandboxCounts([...this.#agents.values()].flatMap(({ sandbox }) => sandbox ?? []));
  }

  /** What all agents that are connected have together. */
  capacity(): { slots: number; memoryBytes: number } {
    let slots = 0;
    let memoryBytes = 0;
    for (const agent of this.#agents.values()) {
      slots += agent.slots;
      memoryBytes += agent.facts.memoryBytes;
    }
    return { slots, memoryBytes };
  }

  /** Slots in all and free, over all agents. */
  slots(): { total: number; free: number } {
    let total = 0;
    let free = 0;
    for (const agent of this.#agents.values()) {
      total += agent.slots;
      free += agent.freeSlots;
    }
    return { total, free };
  }
}
