/**
 * Owns how one coordinator lives among others that share its store: the shards it answers for, where its demands wait, what is told to the others and
 * what they tell. With a store of its own it is alone, and nothing of this costs anything.
 * Never decides about an execution. Invariants: what was left in a shard is taken up as soon as the shard is ours, and again until that worked;
 * what is somebody else's is let go of before anything else is written.
 */
import { atMost, type Clock, passed, type Random } from '../../shared/clock.ts';
import { SystemError, toSystemError } from '../../shared/errors.ts';
import { type AgentId, toBase32 } from '../../shared/ids.ts';
import type { Logger } from '../../shared/logger.ts';
import type { Envelope } from '../../shared/model/manifest.ts';
import type { EndedExecution } from '../../shared/protocol/agent-messages.ts';
import type { Fleet } from '../agents/fleet.ts';
import { type ShardStore, shardOf } from '../executions/shard-store.ts';
import type { SiteAgent } from '../executions/site-records.ts';
import type { PoolGate } from '../pools/pool-gate.ts';
import type { Concurrency } from '../scheduler/concurrency.ts';
import type { FairScheduler } from '../scheduler/fair-scheduler.ts';
import type { Scheduler } from '../scheduler/scheduler.ts';
import { ClusterScheduler } from './cluster-scheduler.ts';
import type { Peer } from './peer.ts';
import { PeerGateway } from './peer-gateway.ts';
import type { DiallerMessage } from './peer-messages.ts';
import { type PeerNews, Peers } from './peers.ts';
import type { RemoteAgent } from './remote-agent.ts';
import { ShardKeeper } from './shard-keeper.ts';

/** Another coordinator that can be asked. */
export interface Destination {
  readonly url: string;
  /** Aborted when it can't be reached any more. */
  readonly lost: AbortSignal;
}

/** What a cluster needs. */
export interface ClusterDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly store: ShardStore;
  /** Derived from the instance key, which all coordinators of a store have. */
  readonly key: Uint8Array;
  readonly fleet: Fleet;
  readonly local: FairScheduler;
  readonly pools: PoolGate;
  /** How much of each tenant may run at once. */
  readonly concurrency?: Concurrency;
}

/** Numbers of a cluster; milliseconds. */
export interface ClusterOptions {
  readonly memberTtlMs: number;
  readonly reconnectGraceMs: number;
  readonly retriesMax: number;
  /** By whom other coordinators are known that serve over TLS, as PEM; absent: the system's. */
  readonly ca?: string | undefined;
}

/** Who does what a cluster asks for. */
export interface ClusterUser extends Omit<PeerNews, 'changed' | 'drained'> {
  /** Tenants that have something under way here. */
  tenants(): ReadonlySet<string>;
  /** These shards are ours: takes up what was left in them; rejects when that could not be read. */
  takeUp(shards: readonly number[]): Promise<void>;
  /** These are somebody else's. */
  letGo(shards: readonly number[]): void;
  /** Something is to be read from the store again. */
  readAgain(what: 'revocations' | 'pins' | 'environments' | 'pools'): void;
}

const never = new AbortController().signal;
const TAKE_UP_RETRY_MS = 500;
const SUCCESSOR_STEP_MS = 50;
/** Whoever answers for this shard does what one of all coordinators is to do. */
const DUTY_SHARD = 0;
const BASE_BUILD_MS_MAX = 3_600_000;
const RECORD_MS_MAX = 5000;

/** See the head of this file. */
export class Cluster {
  readonly keeper: ShardKeeper;
  readonly peers: Peers | null;
  /** Takes the connections of others. */
  readonly gateway: PeerGateway | null;
  readonly scheduler: Scheduler;
  readonly #deps: ClusterDeps;
  readonly #isAlone: boolean;
  #user: ClusterUser | null = null;
  #takingUp: Promise<void> = Promise.resolve();
  /** Shards in which nothing is known yet to be under way. */
  readonly #toTakeUp = new Set<number>();
  readonly #joined = Promise.withResolvers<null>();
  #isJoined = false;
  #isLeaving = false;
  /** While this coordinator gives up what it had, and ever after. */
  #left: Promise<void> | null = null;
  #isStopped = false;

  constructor(deps: ClusterDeps, options: ClusterOptions) {
    const { clock, random, log, store, local, fleet } = deps;
    this.#deps = deps;
    this.#isAlone = !store.isShared;
    const memberId = `coordinator_${toBase32(random.bytes(10))}`;
    this.keeper = new ShardKeeper({ clock, log, store, isIdle: (shard) => this.#isIdle(shard) }, memberId, options);
    this.keeper.listen({
      gained: (shards) => {
        this.#takingUp = this.#takeUp(shards);
      },
      lost: (shards) => this.#user?.letGo(shards),
      viewed: (members) => this.peers?.viewed(members),
      released: () => this.tell({ type: 'changed', what: 'shards' }),
    });
    if (this.#isAlone) {
      this.peers = null;
      this.gateway = null;
      this.scheduler = local;
      return;
    }
    const peers = new Peers({ ...deps, memberId, dial: (url, user) => gateway.dial(url, user) }, options);
    const gateway = new PeerGateway(clock, () => peers.welcome(), options.ca);
    this.gateway = gateway;
    const scheduler = new ClusterScheduler({ ...deps, peers: () => peers.all }, options);
    this.peers = peers;
    this.scheduler = scheduler;
    peers.serve(scheduler, {
      changed: (what) => this.#changed(what),
      trusted: (trust) => this.#user?.trusted(trust),
      agentJoined: (agentId) => this.#user?.agentJoined(agentId),
      drained: (agentId, isDraining) => fleet.get(agentId as AgentId)?.drain(isDraining),
      recordSite: async (agent, execution) => await this.#user?.recordSite(agent, execution),
      // Whoever asks thinks that it is our duty; if we know better it does it itself.
      buildBase: async (base) => (this.isOnDuty ? await this.#user?.buildBase(base) : undefined),
    });
  }

  /** Who does what is asked for; once, before `start`. */
  serve(user: ClusterUser): void {
    this.#user = user;
  }

  /** Is this the coordinator that does what one of all is to do? */
  get isOnDuty(): boolean {
    return this.keeper.holds(DUTY_SHARD) !== null;
  }

  #isIdle(shard: number): boolean {
    if (this.#toTakeUp.has(shard)) return false;
    for (const tenantId of this.#user?.tenants() ?? []) if (shardOf(tenantId) === shard) return false;
    return true;
  }

  /** Joins under this URL; resolves when what was left for us is taken up. SystemError `state-store-unavailable`. */
  async start(url: string): Promise<void> {
    await this.keeper.start(url);
    this.#isJoined = true;
    this.#joined.resolve(null);
    this.peers?.start();
    await this.#takingUp;
  }

  async #takeUp(shards: readonly number[]): Promise<void> {
    const before = this.#takingUp;
    const mark = () => {
      for (const shard of shards) this.#toTakeUp.add(shard);
    };
    mark();
    await before;
    // What came before may have been about the same shards.
    mark();
    await this.#takeUpKept(shards);
    for (const shard of shards) this.#toTakeUp.delete(shard);
  }

  async #takeUpKept(shards: readonly number[]): Promise<void> {
    const { clock, log } = this.#deps;
    for (;;) {
      // While the store is away nothing says that they are not ours any more: nobody takes them up again when it is back.
      const ours = shards.filter((shard) => this.keeper.isKept(shard));
      if (ours.length === 0 || this.#isStopped) return;
      try {
        await this.#user?.takeUp(ours);
        return;
      } catch (error) {
        log.error({ reason: toSystemError(error).message, shards: ours.length }, 'shards not taken up yet');
        await passed(clock, TAKE_UP_RETRY_MS);
      }
    }
  }

  #changed(what: 'shards' | Parameters<ClusterUser['readAgain']>[0]): void {
    if (what !== 'shards') this.#user?.readAgain(what);
    else
      this.keeper.beat().catch((error: unknown) => {
        this.#deps.log.warn({ reason: toSystemError(error).message }, 'shards not looked at');
      });
  }

  /**
   * The coordinator that answers for a tenant; null: this one, or nobody who can be reached. For one that is leaving, others run what leaves no
   * record (`isPassing`), and know who answers when it has gone. What was sent here (`isSent`) was so for a reason: then the store is asked.
   */
  locate(tenantId: string, isPassing = false, isSent = false): Promise<Destination | null> | Destination | null {
    if (!this.#isJoined) return this.#joined.promise;
    if (this.#isAlone) return null;
    if (this.#left !== null) return this.#left.then(() => this.#anyOther());
    if (this.#isLeaving && isPassing) return this.#anyOther();
    const shard = shardOf(tenantId);
    // Whoever leaves, or another that is asked instead, sends what leaves no record to be run here.
    if (isPassing && isSent) return null;
    const holder = this.keeper.holderOf(shard);
    if (holder?.id === this.keeper.id) return null;
    if (isSent) return this.#lookAgain(shard);
    if (holder !== null) return this.#reach(holder.id);
    return this.keeper.settle(shard).then((found) => (found === null ? null : this.#reach(found.id)));
  }

  async #lookAgain(shard: number): Promise<Destination | null> {
    await this.keeper.beat().catch(() => undefined);
    const holder = await this.keeper.settle(shard);
    return holder === null ? null : this.#reach(holder.id);
  }

  #anyOther(): Destination | null {
    const peers = this.peers?.all ?? [];
    // Whoever has left has no links any more, and asks those that it knew.
    const peer =
      peers.find(({ isStaying }) => isStaying) ?? peers.find(({ isGoing }) => this.#left !== null && !isGoing);
    return peer === undefined ? null : this.#toDestination(peer);
  }

  /** Can others go on with what is ours? */
  get hasSuccessor(): boolean {
    return this.#anyOther() !== null;
  }

  #reach(memberId: string): Destination | null {
    const peer = this.peers?.find(memberId);
    return peer?.isUp === true ? this.#toDestination(peer) : null;
  }

  /** Others end their links with one that leaves, and answer it still. */
  #toDestination({ member, lost }: Peer): Destination {
    return { url: member.url, lost: this.#isLeaving ? never : lost };
  }

  /** Has an execution of a site recorded by whoever answers for its tenant; null: that is us. SystemError `shard-moved`. */
  recordElsewhere(agent: SiteAgent, execution: EndedExecution): Promise<void> | null {
    const shard = shardOf(execution.tenantId);
    if (this.#isAlone || this.keeper.holds(shard) !== null) return null;
    const holder = this.keeper.holderOf(shard);
    const peer = holder === null ? undefined : this.peers?.find(holder.id);
    if (peer !== undefined) return peer.recordSite(agent, execution, RECORD_MS_MAX);
    return Promise.reject(new SystemError('shard-moved', `nobody answers for tenant ${execution.tenantId} now`));
  }

  /** Says something to all other coordinators. */
  tell(message: DiallerMessage): void {
    this.peers?.tell(message);
  }

  /** A trust state was signed for us. */
  signed(trust: Envelope): void {
    this.tell({ type: 'trust.state', trust });
  }

  /** Agents of all others. */
  async agents(): Promise<readonly RemoteAgent[]> {
    return (await this.peers?.agents()) ?? [];
  }

  /** Slots of all agents of others. */
  get slotsElsewhere(): number {
    return this.peers?.slots ?? 0;
  }

  /** Has a base built by whoever is on duty; resolves at once when that is us, or nobody that can be reached. */
  async buildBaseElsewhere(base: string): Promise<void> {
    const holder = this.#isAlone || this.isOnDuty ? null : await this.keeper.settle(DUTY_SHARD);
    if (holder === null || holder.id === this.keeper.id) return;
    await this.peers?.find(holder.id)?.buildBase(base, BASE_BUILD_MS_MAX);
  }

  /** Leaves what is durable to others, who have it at once. Idempotent. */
  async leave(): Promise<void> {
    this.#left ??= this.keeper.stop();
    await this.#left;
    this.tell({ type: 'changed', what: 'shards' });
  }

  /** Resolves when another coordinator can be asked about what was left to it; null: none within this time. */
  async successor(tenantId: string, timeMsMax: number): Promise<Destination | null> {
    const { clock } = this.#deps;
    const untilMs = clock.monotonicMs() + timeMsMax;
    for (;;) {
      const found = this.keeper.leaseOf(tenantId) === null ? await this.locate(tenantId) : null;
      if (found !== null || clock.monotonicMs() >= untilMs || this.#isStopped) return found;
      await passed(clock, SUCCESSOR_STEP_MS);
    }
  }

  /** Offers no room any more; resolves when nothing of others runs here, or the time is over. */
  async drain(timeMsMax: number): Promise<void> {
    if (this.peers === null) return;
    this.#isLeaving = true;
    await atMost(this.#deps.clock, timeMsMax, this.peers.drain());
  }

  /** Gives everything up. Idempotent. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.keeper.stop();
    if (this.scheduler instanceof ClusterScheduler) this.scheduler.stop();
    this.peers?.stop();
    this.gateway?.stop();
  }
}
