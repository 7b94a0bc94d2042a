/**
 * Owns where our demands wait: in our own queue, or lent to another coordinator whose agents could take them. Our own scheduler decides among what
 * waits here, theirs among what waits there, ours with theirs, so that every tenant has its share of every coordinator's agents.
 * Never places anything itself, and never lends what was lent to us.
 * Invariants: a demand is in one place; what could run here does not wait elsewhere; a demand ends once, as the Scheduler port says.
 */
import type { Clock, Timer } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import type { ExecutionId } from '../../shared/ids.ts';
import type { PlacementAnswer } from '../../shared/model/placement.ts';
import type { LeaseResultMessage } from '../../shared/protocol/agent-messages.ts';
import type { TerminalCommand, TerminalNews } from '../../shared/protocol/terminal-flow.ts';
import type { AgentFacts, Fleet } from '../agents/fleet.ts';
import type { PoolAccess } from '../pools/pool-access.ts';
import type { PoolGate } from '../pools/pool-gate.ts';
import type { TenantCharge } from '../scheduler/charges.ts';
import { Concurrency } from '../scheduler/concurrency.ts';
import type { FairScheduler } from '../scheduler/fair-scheduler.ts';
import type { Considered } from '../scheduler/placement.ts';
import type {
  Demand,
  DemandListener,
  Forecast,
  LeaseFetching,
  LeaseOutput,
  LeaseTest,
  Scheduler,
} from '../scheduler/scheduler.ts';
import type { Peer, PeerUser } from './peer.ts';
import { countRooms, noSpace, type Room, spaceIn, takeRoom } from './rooms.ts';

/** One of our own demands. */
interface Own {
  readonly demand: Demand;
  readonly submittedAtMs: number;
  /** Coordinators that were lost with it. */
  losses: number;
}

/** What of one tenant waits for the same agents. */
interface Group {
  readonly here: Demand[];
  readonly there: Map<Peer, number>;
}

/** With little waiting it is looked after at once, else at most so often. */
const LITTLE = 32;
const PAUSE_MS = 5;
/** What waits at one peer weighs at most so much; bytes. */
const LENT_BYTES_MAX = 64 * 1024 * 1024;

/** See the head of this file. */
export class ClusterScheduler implements Scheduler, DemandListener, PeerUser {
  readonly #clock: Clock;
  readonly #local: FairScheduler;
  readonly #fleet: Fleet;
  readonly #pools: PoolGate;
  readonly #peers: () => readonly Peer[];
  readonly #retriesMax: number;
  readonly #own = new Map<ExecutionId, Own>();
  readonly #concurrency: Concurrency;
  /** What is lent, and whose it is. */
  readonly #lent = new Map<ExecutionId, string>();
  #pause: Timer | null = null;

  constructor(
    deps: {
      clock: Clock;
      local: FairScheduler;
      fleet: Fleet;
      pools: PoolGate;
      peers: () => readonly Peer[];
      concurrency?: Concurrency;
    },
    options: { retriesMax: number },
  ) {
    this.#clock = deps.clock;
    this.#concurrency = deps.concurrency ?? new Concurrency(() => 0);
    this.#local = deps.local;
    this.#fleet = deps.fleet;
    this.#pools = deps.pools;
    this.#peers = deps.peers;
    this.#retriesMax = options.retriesMax;
  }

  get depth(): number {
    let lent = 0;
    for (const { loans } of this.#peers()) for (const _ of loans.waiting()) lent += 1;
    return this.#local.depth + lent;
  }

  get running(): number {
    return this.#local.running;
  }

  explain(executionId: ExecutionId): PlacementAnswer['waiting'] {
    const own = this.#own.get(executionId);
    if (own === undefined) return null;
    const here = this.#local.explain(executionId);
    if (here !== null) return here;
    const isLent = this.#peers().some(({ loans }) => [...loans.waiting()].includes(own.demand));
    const { tenantId, weight } = own.demand;
    return isLent ? { forecastMs: this.forecast(tenantId, weight).waitMs, agents: [], agentsNotShown: 0 } : null;
  }

  forecast(tenantId: string, weight: number): Forecast {
    const here = this.#local.forecast(tenantId, weight);
    if (here.slots > 0) return here;
    const slots = this.#peers().reduce((sum, peer) => sum + peer.slots, 0);
    if (slots === 0) return here;
    const meanMs = here.meanMs / slots;
    return { slots, waitMs: this.depth * meanMs, meanMs };
  }

  submit(demand: Demand): void {
    this.#own.set(demand.executionId, { demand, submittedAtMs: this.#clock.monotonicMs(), losses: 0 });
    this.#wait(demand, demand.waitMsMax);
  }

  /** It waits here, unless its tenant's own agents have room elsewhere and not here. */
  #wait(demand: Demand, waitMsMax: number): void {
    const home = this.#homeElsewhere(demand);
    if (home !== null && this.#lendTo(home, demand, waitMsMax)) return;
    this.#local.submit({ ...demand, waitMsMax, listener: this });
    if (this.#local.depth > 0 && this.#peers().length > 0) this.#soon();
  }

  #homeElsewhere(demand: Demand): Peer | null {
    const access = this.#pools.accessOf(demand.site);
    if (!access.hasOwn || this.#peers().length === 0) return null;
    const { own } = this.#fleet.index.graded(demand.constraints, access);
    if (own.some(({ free }) => free.size > 0)) return null;
    const freest = mostFree(demand, this.#peers());
    if (freest === null || freest.loans.waitingBytes > LENT_BYTES_MAX) return null;
    return freest.space(demand).freeAtHome > 0 ? freest : null;
  }

  withdraw(executionId: ExecutionId): void {
    this.#own.delete(executionId);
    if (!this.#peers().some(({ loans }) => loans.withdraw(executionId))) this.#local.withdraw(executionId);
    this.#cameBack(executionId);
  }

  /** Lends it, unless its tenant has as much at once as it may: what is lent counts. */
  #lendTo(peer: Peer, demand: Demand, waitMsMax: number): boolean {
    const { tenantId, executionId } = demand;
    if (this.#concurrency.isFull(tenantId) || !peer.lend({ demand, waitMsMax })) return false;
    this.#concurrency.took(tenantId);
    this.#lent.set(executionId, tenantId);
    return true;
  }

  #cameBack(executionId: ExecutionId): void {
    const tenantId = this.#lent.get(executionId);
    if (this.#lent.delete(executionId) && tenantId !== undefined) this.#concurrency.cameBack(tenantId);
  }

  #remainingMs({ demand, submittedAtMs }: Own): number {
    return Math.max(1, demand.waitMsMax - (this.#clock.monotonicMs() - submittedAtMs));
  }

  returned(demand: Demand, cause: SystemError | null): void {
    this.#cameBack(demand.executionId);
    const own = this.#own.get(demand.executionId);
    if (own === undefined) return;
    if (cause !== null) {
      if (++own.losses > this.#retriesMax) {
        this.#own.delete(demand.executionId);
        const detail = `tried ${own.losses} times; the last time: ${cause.message}`;
        demand.listener.gaveUp(demand.executionId, new SystemError('retries-exhausted', detail, { cause }));
        return;
      }
      demand.listener.requeued(demand.executionId, cause);
      // The listener may have taken it back.
      if (!this.#own.has(demand.executionId)) return;
    }
    this.#wait(demand, this.#remainingMs(own));
  }

  ended(executionId: ExecutionId): void {
    this.#own.delete(executionId);
    this.#cameBack(executionId);
  }

  roomChanged(charges: readonly TenantCharge[]): void {
    this.#local.chargedElsewhere(charges);
    if (this.#local.depth > 0) this.#soon();
  }

  #soon(): void {
    if (this.#local.depth < LITTLE) this.spread();
    else
      this.#pause ??= this.#clock.after(PAUSE_MS, () => {
        this.#pause = null;
        this.spread();
      });
  }

  stop(): void {
    this.#pause?.cancel();
  }

  /** Lends what waits here and others could take, and asks for what waits there and could be taken elsewhere. */
  spread(): void {
    const peers = this.#peers().filter(({ isUp }) => isUp);
    if (this.#local.depth === 0 && peers.every(({ loans }) => loans.waitingBytes === 0)) return;
    const rooms = countRooms(this.#fleet, this.#local);
    const groups = new Map<string, Group>();
    for (const demand of [...this.#local.waiting()]) {
      const own = this.#own.get(demand.executionId);
      if (own === undefined || this.#lendToFree(own, rooms, peers)) continue;
      groupOf(groups, own.demand, this.#pools.accessOf(own.demand.site)).here.push(own.demand);
    }
    for (const peer of peers) {
      for (const demand of [...peer.loans.waiting()]) {
        const { there } = groupOf(groups, demand, this.#pools.accessOf(demand.site));
        if (!this.#recall(demand, peer, rooms, peers)) there.set(peer, (there.get(peer) ?? 0) + 1);
      }
    }
    for (const group of groups.values()) if (group.here.length > 0) this.#divide(group, rooms, peers);
  }

  #lend(own: Own, peer: Peer): boolean {
    const { demand } = own;
    if (peer.loans.waitingBytes > LENT_BYTES_MAX || this.#concurrency.isFull(demand.tenantId)) return false;
    this.#local.withdraw(demand.executionId);
    if (this.#lendTo(peer, demand, this.#remainingMs(own))) return true;
    this.#wait(demand, this.#remainingMs(own));
    return false;
  }

  /** Somebody has a free slot for it, and we have not. */
  #lendToFree(own: Own, rooms: readonly Room[], peers: readonly Peer[]): boolean {
    if (spaceIn(rooms, own.demand, this.#pools).free > 0) return false;
    const freest = mostFree(own.demand, peers);
    return freest !== null && this.#lend(own, freest);
  }

  /** It waits where nothing is free, and something is elsewhere. */
  #recall(demand: Demand, peer: Peer, rooms: Room[], peers: readonly Peer[]): boolean {
    if (peer.space(demand).free > 0) return false;
    if (!takeRoom(rooms, demand, this.#pools) && mostFree(demand, peers) === null) return false;
    peer.loans.recall(demand.executionId);
    return true;
  }

  /** What waits is divided as the slots are: whoever has more of them serves more of it. */
  #divide({ here, there }: Group, rooms: readonly Room[], peers: readonly Peer[]): void {
    const [sample] = here;
    if (sample === undefined) return;
    const spaces = peers.map((peer) => ({ peer, slots: peer.space(sample).slots, lent: there.get(peer) ?? 0 }));
    const local = spaceIn(rooms, sample, this.#pools).slots;
    const slots = local + spaces.reduce((sum, space) => sum + space.slots, 0);
    const waiting = here.length + spaces.reduce((sum, { lent }) => sum + lent, 0);
    for (const { peer, slots: theirs, lent } of spaces) {
      const part = (waiting * theirs) / slots;
      const wanted = Math.min(local === 0 ? Math.ceil(part) : Math.floor(part), Math.max(2, theirs));
      for (let count = lent; count < wanted; count += 1) {
        const own = this.#own.get(here.shift()?.executionId as ExecutionId);
        if (own === undefined || !this.#lend(own, peer)) return;
      }
    }
  }

  placed(executionId: ExecutionId, agent: AgentFacts, considered: readonly Considered[]): void {
    this.#listener(executionId)?.placed(executionId, agent, considered);
  }

  started(executionId: ExecutionId): void {
    this.#listener(executionId)?.started(executionId);
  }

  fetching(executionId: ExecutionId, fetching: LeaseFetching): void {
    this.#listener(executionId)?.fetching(executionId, fetching);
  }

  output(executionId: ExecutionId, output: LeaseOutput): void {
    this.#listener(executionId)?.output(executionId, output);
  }

  tested(executionId: ExecutionId, test: LeaseTest): void {
    this.#listener(executionId)?.tested(executionId, test);
  }

  told(executionId: ExecutionId, news: TerminalNews): void {
    this.#listener(executionId)?.told(executionId, news);
  }

  command(executionId: ExecutionId, command: TerminalCommand): void {
    if (!this.#peers().some(({ loans }) => loans.command(executionId, command))) {
      this.#local.command(executionId, command);
    }
  }

  requeued(executionId: ExecutionId, cause: SystemError): void {
    this.#listener(executionId)?.requeued(executionId, cause);
  }

  completed(executionId: ExecutionId, result: LeaseResultMessage): Promise<void> | undefined {
    const listener = this.#listener(executionId);
    this.#own.delete(executionId);
    return listener?.completed(executionId, result);
  }

  gaveUp(executionId: ExecutionId, cause: SystemError): void {
    const listener = this.#listener(executionId);
    this.#own.delete(executionId);
    listener?.gaveUp(executionId, cause);
  }

  #listener(executionId: ExecutionId): DemandListener | undefined {
    return this.#own.get(executionId)?.demand.listener;
  }
}

function groupOf(groups: Map<string, Group>, { tenantId, constraints }: Demand, access: PoolAccess): Group {
  const key = `${tenantId} ${access.number} ${constraints.key}`;
  const group = groups.get(key) ?? { here: [], there: new Map<Peer, number>() };
  groups.set(key, group);
  return group;
}

/** Who has the most free for it, its tenant's own before all else. */
function mostFree(demand: Demand, peers: readonly Peer[]): Peer | null {
  let best: Peer | null = null;
  let most = noSpace;
  for (const peer of peers) {
    const space = peer.space(demand);
    if (space.freeAtHome < most.freeAtHome || (space.freeAtHome === most.freeAtHome && space.free <= most.free))
      continue;
    best = peer;
    most = space;
  }
  return best;
}
