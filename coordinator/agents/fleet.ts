/**
 * Owns who is connected: slots, layers held, draining. Never decides who gets what (placement) and never reads a socket.
 * Invariant: an agent's free slots are its slots minus the leases that we gave it; its own count only matters while it is lower than ours.
 */
import type { AgentId } from '../../shared/ids.ts';
import type { AgentCounts } from '../../shared/model/agent-gauges.ts';
import type { TrustedKey } from '../../shared/model/manifest.ts';
import { type SandboxCounts, sumSandboxCounts } from '../../shared/model/sandbox-gauges.ts';
import type { CoordinatorMessage } from '../../shared/protocol/coordinator-messages.ts';
import type { Candidate } from '../scheduler/candidate.ts';
import { FleetIndex } from '../scheduler/fleet-index.ts';

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
  readonly exclusiveCores: boolean;
}

/** What an agent has for leases besides slots; bytes. */
export interface AgentOffer {
  /** Of all leases together. */
  readonly memoryBytes: number;
  /** Of layers. */
  readonly diskBytes: number;
}

/** Of an agent that does not say: its slots alone bound it. */
const unbounded: AgentOffer = { memoryBytes: Number.POSITIVE_INFINITY, diskBytes: Number.POSITIVE_INFINITY };

/** What an agent tells when it changes. */
interface Watcher {
  changed(agent: FleetAgent): void;
  held(agent: FleetAgent, layer: string): void;
  dropped(agent: FleetAgent, layer: string): void;
}

/** A connected agent; whatever of it matters to placement is told to the fleet that it is in. */
export class FleetAgent implements Candidate {
  readonly facts: AgentFacts;
  /** What its receipts are signed with; null when nobody has looked. */
  readonly key: TrustedKey | null;
  readonly connectedAtMs: number;
  readonly understands: readonly string[];
  readonly #send: (message: CoordinatorMessage) => void;
  readonly #layers = new Set<string>();
  /** The list that `#layers` was taken over from; null once something else was learnt of them. */
  #reported: readonly string[] | null = null;
  #slots = 0;
  #leases = 0;
  #promisedBytes = 0;
  #offer: AgentOffer = unbounded;
  #isDraining: boolean;
  /** It says so itself: it is about to stop. */
  #saysDraining = false;
  #isResting = false;
  /** The fleet that it is in. */
  watcher: Watcher | null = null;
  /** What its launcher counts; null when it did not say. */
  sandbox: SandboxCounts | null = null;
  /** What it counts of its layers and disk; null when it did not say. */
  cache: AgentCounts | null = null;
  /** When something was last heard from it. */
  heardAtMs: number;
  /** Of the newest trust state that it says it has seen. */
  trustVersion = 0;
  /** Monotonic time until which it gets no offers, because it refused one. */
  restsUntilMs = 0;
  /** Called when another connection of the same agent takes over. */
  superseded: () => void = () => undefined;

  constructor(
    facts: AgentFacts,
    options: {
      isDraining: boolean;
      connectedAtMs: number;
      key?: TrustedKey;
      understands?: readonly string[];
      send: (message: CoordinatorMessage) => void;
    },
  ) {
    this.facts = facts;
    this.key = options.key ?? null;
    this.#isDraining = options.isDraining;
    this.connectedAtMs = options.connectedAtMs;
    this.heardAtMs = options.connectedAtMs;
    this.understands = options.understands ?? [];
    this.#send = options.send;
  }

  get id(): AgentId {
    return this.facts.id;
  }

  get architecture(): string {
    return this.facts.architecture;
  }

  get pool(): string {
    return this.facts.pool;
  }

  get labels(): Readonly<Record<string, string>> {
    return this.facts.labels;
  }

  get layers(): ReadonlySet<string> {
    return this.#layers;
  }

  get slots(): number {
    return this.#slots;
  }

  get leases(): number {
    return this.#leases;
  }

  /** A lease was given to it, with this much memory. */
  take(memoryBytes: number): void {
    this.#leases += 1;
    this.#promisedBytes += memoryBytes;
    this.watcher?.changed(this);
  }

  /** A lease that was given to it is over. */
  giveBack(memoryBytes: number): void {
    this.#leases = Math.max(0, this.#leases - 1);
    this.#promisedBytes = this.#leases === 0 ? 0 : Math.max(0, this.#promisedBytes - memoryBytes);
    this.watcher?.changed(this);
  }

  get freeMemoryBytes(): number {
    return this.#offer.memoryBytes - this.#promisedBytes;
  }

  /** Of all its leases together; bytes. */
  get offeredMemoryBytes(): number {
    return this.#offer.memoryBytes;
  }

  get diskBytes(): number {
    return this.#offer.diskBytes;
  }

  get exclusiveCores(): boolean {
    return this.facts.exclusiveCores;
  }

  get isDraining(): boolean {
    return this.#isDraining || this.#saysDraining;
  }

  set isDraining(isDraining: boolean) {
    this.#isDraining = isDraining;
    this.watcher?.changed(this);
  }

  /** Gives it no more work, or gives it work again, and tells it so. */
  drain(isDraining: boolean): void {
    this.isDraining = isDraining;
    this.send({ type: 'agent.drain', state: isDraining ? 'drain' : 'resume' });
  }

  get isResting(): boolean {
    return this.#isResting;
  }

  /** Has it not answered an offer, and said nothing since? */
  get isSilent(): boolean {
    return this.#isResting && this.restsUntilMs === Number.POSITIVE_INFINITY;
  }

  /** It gets no offers until then, by the monotonic clock; for ever: until it reports. */
  rest(untilMs: number): void {
    this.restsUntilMs = untilMs;
    this.isResting = true;
  }

  set isResting(isResting: boolean) {
    this.#isResting = isResting;
    this.watcher?.changed(this);
  }

  get freeSlots(): number {
    return this.#isDraining || this.#saysDraining || this.#isResting ? 0 : Math.max(0, this.#slots - this.#leases);
  }

  get load(): number {
    return this.#slots === 0 ? 1 : Math.min(1, this.#leases / this.#slots);
  }

  send(message: CoordinatorMessage): void {
    this.#send(message);
  }

  /** Takes over what the agent reports. */
  report(
    slots: number,
    layers: readonly string[],
    sandbox: SandboxCounts | null = null,
    offer: AgentOffer = unbounded,
    isDraining = false,
  ): void {
    this.#saysDraining = isDraining;
    if (this.isSilent) this.#isResting = false;
    this.sandbox = sandbox;
    this.#slots = slots;
    this.#offer = offer;
    this.watcher?.changed(this);
    // Nearly every report repeats the one before: comparing texts costs a fraction of hashing them.
    if (this.#reported !== null && isSame(this.#reported, layers)) return;
    const reported = new Set(layers);
    for (const layer of this.#layers) if (!reported.has(layer)) this.drop(layer);
    for (const layer of reported) this.hold(layer);
    this.#reported = layers;
  }

  /** It has this layer now. */
  hold(layer: string): void {
    if (this.#layers.has(layer)) return;
    this.#reported = null;
    this.#layers.add(layer);
    this.watcher?.held(this, layer);
  }

  /** It has it no more. */
  drop(layer: string): void {
    if (!this.#layers.delete(layer)) return;
    this.#reported = null;
    this.watcher?.dropped(this, layer);
  }
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((text, index) => text === other[index]);
}

/** What an agent adds to the fleet's sums. */
interface Part {
  readonly total: number;
  readonly free: number;
  readonly memoryBytes: number;
}

const nothing: Part = { total: 0, free: 0, memoryBytes: 0 };

/** All connected agents. */
export class Fleet implements Watcher {
  readonly #agents = new Map<AgentId, FleetAgent>();
  readonly #parts = new Map<FleetAgent, Part>();
  readonly #slotsOf = new Map<string, number>();
  #sum = nothing;
  /** For finding agents without looking at all of them. */
  readonly index = new FleetIndex<FleetAgent>();

  join(agent: FleetAgent): void {
    const before = this.#agents.get(agent.id);
    if (before !== undefined) this.#forget(before);
    this.#agents.set(agent.id, agent);
    agent.watcher = this;
    this.index.add(agent);
    this.changed(agent);
  }

  /** Removes exactly this connection's agent; false when another one has taken its place. */
  leave(agent: FleetAgent): boolean {
    if (this.#agents.get(agent.id) !== agent) return false;
    this.#forget(agent);
    return this.#agents.delete(agent.id);
  }

  #forget(agent: FleetAgent): void {
    agent.watcher = null;
    this.index.remove(agent);
    this.#count(agent, nothing);
    this.#parts.delete(agent);
  }

  changed(agent: FleetAgent): void {
    this.index.changed(agent);
    const { slots, freeSlots, facts } = agent;
    this.#count(agent, { total: slots, free: freeSlots, memoryBytes: facts.memoryBytes });
  }

  held(agent: FleetAgent, layer: string): void {
    this.index.held(agent, layer);
  }

  dropped(agent: FleetAgent, layer: string): void {
    this.index.dropped(agent, layer);
  }

  #count(agent: FleetAgent, part: Part): void {
    const before = this.#parts.get(agent) ?? nothing;
    const { total, free, memoryBytes } = this.#sum;
    if (part.total !== before.total) {
      this.#slotsOf.set(agent.pool, (this.#slotsOf.get(agent.pool) ?? 0) + part.total - before.total);
    }
    this.#sum = {
      total: total + part.total - before.total,
      free: free + part.free - before.free,
      memoryBytes: memoryBytes + part.memoryBytes - before.memoryBytes,
    };
    this.#parts.set(agent, part);
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
    return { slots: this.#sum.total, memoryBytes: this.#sum.memoryBytes };
  }

  /** Slots of all agents of a pool. */
  slotsOf(pool: string): number {
    return this.#slotsOf.get(pool) ?? 0;
  }

  /** Slots in all and free, over all agents. */
  slots(): { total: number; free: number } {
    return { total: this.#sum.total, free: this.#sum.free };
  }
}
