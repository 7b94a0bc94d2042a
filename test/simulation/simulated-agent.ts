/**
 * Owns an agent of a simulation: it answers offers late, refuses, fails, loses its connection or its life, comes back with what it holds, and says
 * results again until they are acknowledged, as the protocol has it. Never sandboxes anything.
 * Invariant: it never runs more than its slots and its memory allow; whoever offers more is refused.
 */
import assert from 'node:assert/strict';
import { type Fleet, FleetAgent } from '../../coordinator/agents/fleet.ts';
import type { FairScheduler } from '../../coordinator/scheduler/fair-scheduler.ts';
import type { AgentId } from '../../shared/ids.ts';
import type { LeaseResultMessage } from '../../shared/protocol/agent-messages.ts';
import type { CoordinatorMessage } from '../../shared/protocol/coordinator-messages.ts';
import { makeResult } from '../support/lease-results.ts';
import type { SimulatedChance, SimulatedTime } from './simulated-time.ts';

/** What an order of a simulation says, instead of scripts. */
export interface SimulatedOrder {
  readonly executionId: string;
  readonly durationMs: number;
  readonly memoryBytes: number;
  readonly layers: readonly string[];
}

/** What the world does to agents; shares in hundredths. */
export interface Weather {
  readonly refusedPercent: number;
  readonly failedPercent: number;
  readonly silentPercent: number;
  readonly fetchMs: number;
}

export interface World {
  readonly time: SimulatedTime;
  readonly chance: SimulatedChance;
  readonly fleet: Fleet;
  readonly scheduler: FairScheduler;
  readonly weather: Weather;
  readonly reportIntervalMs: number;
}

type Offer = Extract<CoordinatorMessage, { type: 'lease.offer' }>;

interface Held {
  readonly fence: number;
  readonly order: SimulatedOrder;
  result: LeaseResultMessage | null;
}

const KEPT_LAYERS = 8;
const retryable = { code: 'sandbox-failed', detail: 'simulated', isRetryable: true };

/** See the head of this file. */
export class SimulatedAgent {
  readonly id: AgentId;
  readonly slots: number;
  readonly memoryBytes: number;
  readonly #world: World;
  readonly #leases = new Map<string, Held>();
  readonly #layers = new Set<string>();
  #session: FleetAgent | null = null;
  /** Counts lives: what a dead one had begun is nothing to the next. */
  #life = 0;

  constructor(world: World, id: AgentId, slots: number, memoryBytes: number) {
    this.id = id;
    this.slots = slots;
    this.memoryBytes = memoryBytes;
    this.#world = world;
  }

  get isConnected(): boolean {
    return this.#session !== null;
  }

  /** Executions that it runs now. */
  get running(): number {
    return [...this.#leases.values()].filter(({ result }) => result === null).length;
  }

  /** Dials, is let in, says what it holds and which results nobody has acknowledged. */
  connect(): void {
    if (this.#session !== null) return;
    const { fleet, scheduler, time } = this.#world;
    const facts = {
      ...{ id: this.id, name: this.id, pool: 'default', labels: {}, architecture: 'x86_64', release: '', kernel: '' },
      ...{ cores: this.slots, memoryBytes: this.memoryBytes, exclusiveCores: false },
    };
    const session: FleetAgent = new FleetAgent(facts, {
      ...{ isDraining: false, connectedAtMs: time.nowMs() },
      send: (message) => this.#delayed(session, () => this.#hear(message)),
    });
    this.#session = session;
    fleet.join(session);
    scheduler.joined(this.id);
    this.#report();
    for (const [lease, held] of this.#leases) if (held.result !== null) this.#tell(lease, held);
  }

  /** The network is cut: what it runs goes on. */
  disconnect(): void {
    const session = this.#session;
    if (session === null) return;
    this.#session = null;
    const { fleet, scheduler } = this.#world;
    if (fleet.leave(session)) scheduler.left(this.id);
  }

  /** The machine dies, and everything on it but its layers. */
  die(): void {
    this.#life += 1;
    this.#leases.clear();
    this.disconnect();
  }

  /** Says or hears something a moment later, unless the connection is gone by then. */
  #delayed(session: FleetAgent | null, action: () => void): void {
    const { time, chance } = this.#world;
    time.after(chance.between(0.2, 5), () => {
      if (session !== null && session === this.#session) action();
    });
  }

  #report(): void {
    const session = this.#session;
    if (session === null) return;
    const { scheduler, time, reportIntervalMs } = this.#world;
    session.report(this.slots, [...this.#layers], null, { memoryBytes: this.memoryBytes, diskBytes: 1e12 });
    const leases = [...this.#leases].map(([lease, { fence }]) => ({ lease, fence }));
    const wanted = scheduler.reported(this.id, leases);
    if (wanted !== null) this.#delayed(session, () => this.#keepOnly(new Set(wanted), leases));
    time.after(reportIntervalMs, () => {
      if (session === this.#session) this.#report();
    });
  }

  /** Of what it said, it ends what is not wanted any more. */
  #keepOnly(wanted: ReadonlySet<string>, said: readonly { readonly lease: string }[]): void {
    for (const { lease } of said) if (!wanted.has(lease)) this.#leases.delete(lease);
  }

  #hear(message: CoordinatorMessage): void {
    if (message.type === 'lease.offer') this.#offered(message);
    else if (message.type === 'lease.cancel') this.#leases.delete(message.lease);
  }

  #offered({ lease, fence, order }: Offer): void {
    const { scheduler, chance, weather } = this.#world;
    if (chance.percent(weather.silentPercent)) return;
    const asked = order as never as SimulatedOrder;
    const held = [...this.#leases.values()].filter(({ result }) => result === null);
    const memory = held.reduce((sum, one) => sum + one.order.memoryBytes, 0);
    const isRefused = held.length >= this.slots || memory + asked.memoryBytes > this.memoryBytes;
    if (isRefused || chance.percent(weather.refusedPercent)) {
      const session = this.#session;
      this.#delayed(session, () => scheduler.refused(this.id, lease, 'simulated'));
      return;
    }
    const taken: Held = { fence, order: asked, result: null };
    this.#leases.set(lease, taken);
    const session = this.#session;
    this.#delayed(session, () => scheduler.accepted(this.id, lease));
    this.#run(lease, taken);
  }

  #run(lease: string, held: Held): void {
    const { time, chance, weather, scheduler } = this.#world;
    const life = this.#life;
    const isCold = held.order.layers.some((layer) => !this.#layers.has(layer));
    const session = this.#session;
    this.#delayed(session, () => scheduler.started(this.id, lease));
    time.after((isCold ? weather.fetchMs : 0) + held.order.durationMs, () => {
      if (life !== this.#life || this.#leases.get(lease) !== held) return;
      for (const layer of held.order.layers) this.#keep(layer);
      const isFailed = chance.percent(weather.failedPercent);
      held.result = makeResult(isFailed ? { verdict: null, run: null, failure: retryable } : {});
      this.#tell(lease, held);
    });
  }

  #keep(layer: string): void {
    this.#layers.delete(layer);
    this.#layers.add(layer);
    const [oldest] = this.#layers;
    if (this.#layers.size > KEPT_LAYERS && oldest !== undefined) this.#layers.delete(oldest);
  }

  /** Says a result; it is forgotten when that was acknowledged, which can be lost too. */
  #tell(lease: string, held: Held): void {
    const session = this.#session;
    this.#delayed(session, () => {
      if (this.#leases.get(lease) !== held || held.result === null) return;
      const { scheduler } = this.#world;
      assert.equal(scheduler.completed(this.id, lease, held.fence, held.result), undefined);
      this.#delayed(session, () => this.#leases.delete(lease));
    });
  }
}
