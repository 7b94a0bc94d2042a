/**
 * Owns an agent of a simulation: it answers offers late, refuses, fails, loses its connection, its coordinator or its life, comes back with what it
 * holds, and says results again until they are acknowledged, as the protocol has it. Never sandboxes anything; its fence and its shelf of layers are the real ones.
 * Invariant: it never runs more than its slots and its memory allow; whoever offers more is refused.
 */
import assert from 'node:assert/strict';
import { Fence } from '../../agent/connection/fence.ts';
import { type Fleet, FleetAgent } from '../../coordinator/agents/fleet.ts';
import type { FairScheduler } from '../../coordinator/scheduler/fair-scheduler.ts';
import type { AgentId, ExecutionId } from '../../shared/ids.ts';
import type { LeaseResultMessage } from '../../shared/protocol/agent-messages.ts';
import type { CoordinatorMessage } from '../../shared/protocol/coordinator-messages.ts';
import { makeResult } from '../support/lease-results.ts';
import type { Books } from './books.ts';
import { SimulatedConnection } from './simulated-connection.ts';
import { SimulatedShelf } from './simulated-shelf.ts';
import type { SimulatedChance, SimulatedTime } from './simulated-time.ts';

/** What an order of a simulation says, instead of scripts. */
export interface SimulatedOrder {
  readonly executionId: ExecutionId;
  readonly durationMs: number;
  readonly memoryBytes: number;
  readonly layers: readonly string[];
}

/** What the world does to agents; shares in hundredths. */
export interface Weather {
  readonly refusedPercent: number;
  readonly failedPercent: number;
  readonly silentPercent: number;
  /** Results that are said twice, under an old fence, or in another's name besides. */
  readonly oddPercent: number;
  readonly fetchMs: number;
}

/** What an agent lives in; the coordinator of the moment, null while there is none. */
export interface World {
  readonly time: SimulatedTime;
  readonly chance: SimulatedChance;
  readonly books: Books;
  readonly coordinator: { readonly fleet: Fleet; readonly scheduler: FairScheduler } | null;
  readonly weather: Weather;
  readonly reportIntervalMs: number;
  readonly leaseTtlMs: number;
  /** How long a message is under way; absent: as a bad network has it. */
  readonly delayMs?: readonly [number, number];
  /** Has an agent's machine do the work of an order, and calls back when it is done; absent: it takes the order's duration, whatever else runs. */
  readonly serve?: (agentId: AgentId, order: SimulatedOrder, done: () => void) => void;
}

type Offer = Extract<CoordinatorMessage, { type: 'lease.offer' }>;

interface Held {
  readonly fence: number;
  readonly order: SimulatedOrder;
  result: LeaseResultMessage | null;
}

/** An agent dials again after at most this. */
const REDIAL_MS = 500;
/** A coordinator that says nothing is given up by its agent after one to two of these. */
const HEARTBEAT_MS = 10_000;
/** An agent that says nothing is given up by its coordinator after three reports, looked at every report. */
const REPORTS_MISSED = 3;
const retryable = { code: 'sandbox-failed', detail: 'simulated', isRetryable: true };

/** See the head of this file. */
export class SimulatedAgent {
  readonly id: AgentId;
  readonly slots: number;
  readonly memoryBytes: number;
  readonly #world: World;
  readonly #leases = new Map<string, Held>();
  readonly #layers = new SimulatedShelf();
  readonly #fence: Fence;
  #connection: SimulatedConnection | null = null;
  /** Until then nothing gets through, in either direction. */
  #mutedUntilMs = 0;
  /** Counts lives: what a dead one had begun is nothing to the next. */
  #life = 0;

  constructor(world: World, id: AgentId, slots: number, memoryBytes: number) {
    this.id = id;
    this.slots = slots;
    this.memoryBytes = memoryBytes;
    this.#world = world;
    this.#fence = new Fence(world.time, () => this.#endFenced());
    world.books.register(id, { slots, memoryBytes });
  }

  get isConnected(): boolean {
    return this.#connection !== null;
  }

  /** Does it run this, or has it a result of it? */
  has(executionId: ExecutionId): boolean {
    return [...this.#leases.values()].some(({ order }) => order.executionId === executionId);
  }

  /** Executions that it runs now. */
  get running(): number {
    let count = 0;
    for (const { result } of this.#leases.values()) if (result === null) count += 1;
    return count;
  }

  /** Dials until it is let in; says then what it holds and which results nobody has acknowledged. */
  connect(): void {
    if (this.#connection !== null) return;
    const { coordinator, time, chance, leaseTtlMs } = this.#world;
    if (coordinator === null || time.monotonicMs() < this.#mutedUntilMs) {
      time.after(chance.between(0, REDIAL_MS), () => this.connect());
      return;
    }
    const facts = {
      ...{ id: this.id, name: this.id, pool: 'default', labels: {}, architecture: 'x86_64', release: '', kernel: '' },
      ...{ cores: this.slots, memoryBytes: this.memoryBytes, exclusiveCores: false },
    };
    const member = new FleetAgent(facts, {
      ...{ isDraining: false, connectedAtMs: time.nowMs() },
      send: (message) => this.#sent(connection, message),
    });
    const connection = new SimulatedConnection(this.#world, coordinator, member);
    connection.muteUntil(this.#mutedUntilMs);
    // Offers may have gone to a connection that was over on this side.
    this.#tellBooks();
    this.#connection = connection;
    this.#fence.held(leaseTtlMs);
    connection.open();
    for (const [lease, held] of this.#leases) if (held.result !== null) this.#tell(lease, held);
    this.#report(connection);
  }

  /** The network is cut, and both sides see it: what it runs goes on. */
  disconnect(): void {
    this.#connection?.close();
    this.#lost(this.#connection);
  }

  /** The machine dies, and everything on it but its layers. */
  die(): void {
    this.#life += 1;
    this.#leases.clear();
    this.#layers.crash();
    this.disconnect();
    this.#tellBooks();
  }

  /** The coordinator died: it comes back to the next one by itself. */
  orphan(): void {
    this.#lost(this.#connection);
    this.#world.time.after(this.#world.chance.between(0, REDIAL_MS), () => this.connect());
  }

  /** For so long nothing gets through, and neither side is told; each gives the other up when it has been silent for too long. */
  partition(forMs: number): void {
    const connection = this.#connection;
    const { time, chance, reportIntervalMs } = this.#world;
    if (connection === null || time.monotonicMs() < this.#mutedUntilMs) return;
    this.#mutedUntilMs = time.monotonicMs() + forMs;
    connection.muteUntil(this.#mutedUntilMs);
    const coordinatorMs = chance.between(REPORTS_MISSED, REPORTS_MISSED + 1) * reportIntervalMs;
    const agentMs = chance.between(1, 2) * HEARTBEAT_MS;
    if (coordinatorMs < forMs) time.after(coordinatorMs, () => connection.close());
    if (agentMs < forMs) time.after(agentMs, () => this.#lost(connection));
    time.after(forMs, () => {
      if (connection.isClosed) this.#lost(connection);
      this.connect();
    });
  }

  #lost(connection: SimulatedConnection | null): void {
    if (connection === null || this.#connection !== connection) return;
    this.#connection = null;
    this.#fence.lost();
    this.#tellBooks();
  }

  #endFenced(): void {
    for (const [lease, { result }] of this.#leases) if (result === null) this.#leases.delete(lease);
    this.#tellBooks();
  }

  /** While there is no connection, what it was promised is what it has. */
  #tellBooks(): void {
    this.#world.books.parted(this.id, new Set([...this.#leases.values()].map(({ fence }) => fence)));
  }

  #report(connection: SimulatedConnection): void {
    if (this.#connection !== connection) return;
    const { time, reportIntervalMs } = this.#world;
    const leases = [...this.#leases].map(([lease, { fence }]) => ({ lease, fence }));
    const layers = this.#layers.names;
    connection.say(({ scheduler }, member) => {
      member.report(this.slots, layers, null, { memoryBytes: this.memoryBytes, diskBytes: 1e12 });
      const wanted = scheduler.reported(this.id, leases);
      if (wanted === null) return;
      const isWanted = new Set(wanted);
      this.#hear(connection, () => this.#keepOnly(isWanted));
    });
    time.after(reportIntervalMs, () => this.#report(connection));
  }

  /** Whatever is not wanted is ended, whenever it began. */
  #keepOnly(wanted: ReadonlySet<string>): void {
    for (const lease of this.#leases.keys()) if (!wanted.has(lease)) this.#leases.delete(lease);
  }

  #hear(connection: SimulatedConnection, action: () => void): void {
    connection.hear(() => {
      if (this.#connection === connection) action();
    });
  }

  #sent(connection: SimulatedConnection, message: CoordinatorMessage): void {
    if (message.type === 'lease.offer')
      this.#world.books.offered(message.order.executionId as ExecutionId, message.fence);
    this.#hear(connection, () => {
      if (message.type === 'lease.offer') this.#offered(connection, message);
      else if (message.type === 'lease.cancel') this.#leases.delete(message.lease);
    });
  }

  #offered(connection: SimulatedConnection, { lease, fence, order }: Offer): void {
    const { chance, weather } = this.#world;
    if (chance.percent(weather.silentPercent)) return;
    const asked = order as never as SimulatedOrder;
    const held = [...this.#leases.values()].filter(({ result }) => result === null);
    const memory = held.reduce((sum, one) => sum + one.order.memoryBytes, 0);
    const isRefused = held.length >= this.slots || memory + asked.memoryBytes > this.memoryBytes;
    if (isRefused || chance.percent(weather.refusedPercent)) {
      connection.say(({ scheduler }) => scheduler.refused(this.id, lease, 'simulated'));
      return;
    }
    const taken: Held = { fence, order: asked, result: null };
    this.#leases.set(lease, taken);
    connection.say(({ scheduler }) => scheduler.accepted(this.id, lease));
    this.#run(connection, lease, taken);
  }

  #run(connection: SimulatedConnection, lease: string, held: Held): void {
    const { time, chance, weather, books, serve } = this.#world;
    const life = this.#life;
    const { layers, durationMs } = held.order;
    const isCold = this.#layers.hold(layers);
    const fetchMs = isCold ? weather.fetchMs : 0;
    connection.say(({ scheduler }) => scheduler.started(this.id, lease));
    if (isCold) time.after(fetchMs, () => life === this.#life && this.#layers.arrived(layers));
    const work = serve ?? ((_id, _order, done) => time.after(durationMs, done));
    const ended = () => {
      if (life !== this.#life) return;
      this.#layers.letGo(layers);
      if (this.#leases.get(lease) !== held) return;
      const isFailed = chance.percent(this.#world.weather.failedPercent);
      const result = makeResult(isFailed ? { verdict: null, run: null, failure: retryable } : {});
      held.result = books.made(result, held.fence);
      this.#tell(lease, held);
    };
    time.after(fetchMs, () => work(this.id, held.order, ended));
  }

  /** Says a result; it is forgotten when that was acknowledged, which can be lost too. */
  #tell(lease: string, held: Held): void {
    const connection = this.#connection;
    const { result, fence } = held;
    if (connection === null || result === null) return;
    const { chance, weather } = this.#world;
    const isOdd = chance.percent(weather.oddPercent);
    if (isOdd) this.#tellOddly(connection, lease, fence);
    for (let times = 0; times < (isOdd ? 2 : 1); times += 1) {
      connection.say(({ scheduler }) => {
        const kept = scheduler.completed(this.id, lease, fence, result);
        const acknowledge = () => this.#hear(connection, () => this.#leases.delete(lease));
        if (kept === undefined) acknowledge();
        else this.#world.books.whenKept(kept, acknowledge);
      });
    }
  }

  /** What must have no effect: an old fence, and a lease that is another agent's. */
  #tellOddly(connection: SimulatedConnection, lease: string, fence: number): void {
    const wrong = this.#world.books.made(makeResult({}), -1);
    connection.say(({ scheduler }) => {
      assert.equal(scheduler.completed(this.id, lease, fence - 1, wrong), undefined);
      assert.equal(scheduler.completed('agent_other', lease, fence, wrong), undefined);
    });
  }
}
