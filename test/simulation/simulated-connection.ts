/**
 * Owns one connection between a simulated agent and a coordinator: what is said arrives a moment later, in its order; while the network is mute
 * it waits, as TCP has it; and once the coordinator's side is closed nothing more arrives there.
 */
import type { Fleet, FleetAgent } from '../../coordinator/agents/fleet.ts';
import type { FairScheduler } from '../../coordinator/scheduler/fair-scheduler.ts';
import type { SimulatedChance, SimulatedTime } from './simulated-time.ts';

/** The coordinator that a connection leads to. */
interface Coordinator {
  readonly fleet: Fleet;
  readonly scheduler: FairScheduler;
}

/** What a connection needs of its world. */
interface Surroundings {
  readonly time: SimulatedTime;
  readonly chance: SimulatedChance;
  /** The coordinator that lives now. */
  readonly coordinator: Coordinator | null;
  /** How long a message is under way, from and to; absent: a bad network. */
  readonly delayMs?: readonly [number, number];
}

const DELAY_MS: readonly [number, number] = [0.2, 5];

/** See the head of this file. */
export class SimulatedConnection {
  readonly #world: Surroundings;
  readonly #coordinator: Coordinator;
  readonly #member: FleetAgent;
  /** When the newest message of each direction arrives. */
  readonly #arrivals = { said: 0, heard: 0 };
  #mutedUntilMs = 0;

  constructor(world: Surroundings, coordinator: Coordinator, member: FleetAgent) {
    this.#world = world;
    this.#coordinator = coordinator;
    this.#member = member;
  }

  /** Has the coordinator given it up, taken another one for it, or died? */
  get isClosed(): boolean {
    const { fleet } = this.#coordinator;
    return this.#world.coordinator !== this.#coordinator || fleet.get(this.#member.id) !== this.#member;
  }

  /** The coordinator has let the agent in. */
  open(): void {
    const { fleet, scheduler } = this.#coordinator;
    fleet.join(this.#member);
    scheduler.joined(this.#member.id);
  }

  /** The coordinator's side sees that the connection is over. */
  close(): void {
    if (this.isClosed) return;
    const { fleet, scheduler } = this.#coordinator;
    if (fleet.leave(this.#member)) scheduler.left(this.#member.id);
  }

  muteUntil(untilMs: number): void {
    this.#mutedUntilMs = untilMs;
  }

  /** The agent says something. */
  say(arrived: (coordinator: Coordinator, member: FleetAgent) => void): void {
    this.#pass('said', () => {
      if (!this.isClosed) arrived(this.#coordinator, this.#member);
    });
  }

  /** The coordinator says something; whether the agent still listens is the agent's affair. */
  hear(arrived: () => void): void {
    this.#pass('heard', arrived);
  }

  #pass(direction: 'said' | 'heard', arrived: () => void): void {
    const { time, chance, delayMs = DELAY_MS } = this.#world;
    const nowMs = time.monotonicMs();
    const arrivesMs = Math.max(nowMs, this.#mutedUntilMs) + chance.between(...delayMs);
    this.#arrivals[direction] = Math.max(this.#arrivals[direction], arrivesMs);
    time.after(this.#arrivals[direction] - nowMs, arrived);
  }
}
