/**
 * Owns several coordinators' schedulers for tests: virtual time, links that are pipes, agents that take a while for everything. No sockets and
 * no store: who answers for whom is the test's.
 */
import { Fleet, FleetAgent } from '../../coordinator/agents/fleet.ts';
import { ClusterScheduler } from '../../coordinator/cluster/cluster-scheduler.ts';
import type { PeerSocket, PeerSocketUser } from '../../coordinator/cluster/peer-gateway.ts';
import { Peers } from '../../coordinator/cluster/peers.ts';
import { openGate, type PoolGate } from '../../coordinator/pools/pool-gate.ts';
import { Concurrency } from '../../coordinator/scheduler/concurrency.ts';
import { FairScheduler } from '../../coordinator/scheduler/fair-scheduler.ts';
import type { Demand, DemandListener } from '../../coordinator/scheduler/scheduler.ts';
import { systemRandom } from '../../shared/clock.ts';
import type { ExecutionId } from '../../shared/ids.ts';
import { silentLogger } from '../../shared/logger.ts';
import type { CoordinatorMessage } from '../../shared/protocol/coordinator-messages.ts';
import { makeOrder } from './lease-orders.ts';
import { makeResult } from './lease-results.ts';
import { schedulerOptions } from './scheduler-stage.ts';
import { siteOf } from './site-cases.ts';
import { VirtualClock } from './virtual-clock.ts';

const LATENCY_MS = 0.5;
const order = makeOrder();
const news = {
  changed: () => undefined,
  trusted: () => undefined,
  agentJoined: () => undefined,
  drained: () => undefined,
  recordSite: () => Promise.resolve(),
  buildBase: () => Promise.resolve(),
};

/** Two ends that hear each other a moment later, until the pipe is cut. */
class Pipe {
  isCut = false;
  readonly #clock: VirtualClock;
  readonly #users: readonly [PeerSocketUser, PeerSocketUser];

  constructor(clock: VirtualClock, users: readonly [PeerSocketUser, PeerSocketUser]) {
    this.#clock = clock;
    this.#users = users;
    for (const [index, user] of users.entries()) {
      const other = users[1 - index] as PeerSocketUser;
      user.opened(this.#socketTo(other));
    }
  }

  #socketTo(other: PeerSocketUser): PeerSocket {
    return {
      send: (text) => {
        // Every link speaks its real messages.
        this.#clock.after(LATENCY_MS, () => (this.isCut ? undefined : other.message(text)));
      },
      close: () => this.cut(),
    };
  }

  cut(): void {
    if (this.isCut) return;
    this.isCut = true;
    for (const user of this.#users) user.closed('cut');
  }
}

/** A demand that is submitted, and what it was told. */
export interface Submitted {
  readonly id: ExecutionId;
  readonly tenantId: string;
  readonly told: string[];
}

/** A coordinator's scheduling. */
export class Site {
  readonly fleet = new Fleet();
  readonly local: FairScheduler;
  readonly scheduler: ClusterScheduler;
  readonly peers: Peers;
  readonly id: string;
  readonly submitted: Submitted[] = [];
  readonly concurrency: Concurrency;
  readonly #clock: VirtualClock;
  #number = 0;

  constructor(
    id: string,
    clock: VirtualClock,
    pools: PoolGate,
    dial: (url: string, user: PeerSocketUser) => void,
    concurrency: Concurrency,
  ) {
    this.id = id;
    this.concurrency = concurrency;
    this.#clock = clock;
    const random = systemRandom;
    this.local = new FairScheduler({ clock, random, fleet: this.fleet, pools, concurrency }, schedulerOptions);
    const key = Buffer.alloc(32, 'k');
    const deps = {
      clock,
      random,
      log: silentLogger,
      key,
      memberId: id,
      fleet: this.fleet,
      local: this.local,
      pools,
      dial,
    };
    this.peers = new Peers(deps, schedulerOptions);
    const { local, fleet } = this;
    this.scheduler = new ClusterScheduler(
      { clock, local, fleet, pools, peers: () => this.peers.all, concurrency },
      schedulerOptions,
    );
    this.peers.serve(this.scheduler, news);
    this.local.start();
    this.peers.start();
  }

  /** An agent that takes so long for everything; what it was offered and not withdrawn ends well. */
  join(name: string, slots: number, { takesMs = 100, pool = 'p' } = {}) {
    const id = `agent_${name}` as const;
    const facts = { name, pool, labels: {}, architecture: 'x86_64', release: '', kernel: '', cores: 1 };
    const ended = new Set<string>();
    const offers: string[] = [];
    const held = new Map<string, number>();
    const send = (message: CoordinatorMessage) => {
      if (message.type === 'lease.cancel') {
        ended.add(message.lease);
        held.delete(message.lease);
        this.#clock.after(0, () => void this.local.reported(id, this.#leases(held)));
      }
      if (message.type !== 'lease.offer') return;
      const { lease, fence } = message;
      offers.push(lease);
      held.set(lease, fence);
      this.#clock.after(0, () => this.local.accepted(id, lease));
      this.#clock.after(takesMs, () => {
        if (ended.has(lease)) return;
        held.delete(lease);
        void this.local.completed(id, lease, fence, makeResult());
      });
    };
    const agent = new FleetAgent(
      // As much memory as one demand takes for each slot: neither is scarcer.
      { id, ...facts, memoryBytes: slots, exclusiveCores: false },
      { isDraining: false, connectedAtMs: 0, send },
    );
    agent.report(slots, []);
    this.fleet.join(agent);
    this.local.joined(id);
    const report = () => {
      if (this.fleet.get(id) !== agent) return;
      this.local.reported(id, this.#leases(held));
      this.#clock.after(3000, report);
    };
    report();
    return { agent, offers, held };
  }

  #leases(held: ReadonlyMap<string, number>) {
    return [...held].map(([lease, fence]) => ({ lease, fence }));
  }

  /** Submits a demand of a tenant that this coordinator answers for. */
  submit(tenantId: string, changes: Partial<Demand> = {}): Submitted {
    const id: ExecutionId = `exec_${tenantId}${this.#number++}`;
    const told: string[] = [];
    const tell = (what: string) => () => void told.push(what);
    const listener: DemandListener = {
      placed: tell('placed'),
      started: tell('started'),
      fetching: tell('fetching'),
      output: tell('output'),
      tested: tell('tested'),
      told: tell('told'),
      requeued: tell('requeued'),
      completed: () => void tell('completed')(),
      gaveUp: (_id, { code }) => void told.push(code),
    };
    const submitted = { id, tenantId, told };
    this.submitted.push(submitted);
    const constraints = { key: 'any', architecture: 'x86_64', pool: null, labels: {}, exclusiveCore: false };
    const claim = { kind: 'k', durationMsMax: 1000, memoryBytes: 1, diskBytes: 0, waitMsMax: 600_000, layers: [] };
    this.scheduler.submit({
      ...{ executionId: id, tenantId, weight: 1, ...claim, constraints, order: () => order, listener },
      site: siteOf(tenantId),
      ...changes,
    });
    return submitted;
  }

  /** Executions of a tenant that have ended well. */
  served(tenantId: string): number {
    return this.submitted.filter((one) => one.tenantId === tenantId && one.told.at(-1) === 'completed').length;
  }
}

/** Coordinators that know each other. */
export class ClusterStage {
  readonly clock = new VirtualClock();
  readonly sites: Site[] = [];
  readonly pipes: Pipe[] = [];
  /** No new link is made while it is. */
  isApart = false;

  /** Of so many, which see pools like this, and let a tenant have so much at once; 0: no bound. */
  constructor(
    count: number,
    pools: (clock: VirtualClock) => PoolGate = () => openGate,
    maxOf: (tenantId: string) => number = () => 0,
  ) {
    const gate = pools(this.clock);
    for (let index = 0; index < count; index += 1) {
      const id = `site${index}`;
      const dial = (url: string, user: PeerSocketUser) => this.#dial(url, user);
      this.sites.push(new Site(id, this.clock, gate, dial, new Concurrency(maxOf)));
    }
    this.meet(this.sites);
  }

  /** These are the members now. */
  meet(members: readonly Site[]): void {
    const list = members.map(({ id }) => ({ id, url: `http://${id}` }));
    for (const site of members) site.peers.viewed(list);
    this.clock.pass(1000);
  }

  #dial(url: string, user: PeerSocketUser): void {
    const site = this.sites.find(({ id }) => url === `http://${id}`);
    if (site === undefined || this.isApart) this.clock.after(1, () => user.closed('nobody there'));
    else this.pipes.push(new Pipe(this.clock, [site.peers.welcome(), user]));
  }

  /** Cuts every link; they are made again unless the coordinators are apart. */
  cut(): void {
    for (const pipe of this.pipes.splice(0)) pipe.cut();
  }
}
