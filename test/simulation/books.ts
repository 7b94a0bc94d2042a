/**
 * Owns the books of a simulation: what became of every demand, and what must be true of them after every event, whatever happens. They outlive a
 * scheduler, as the durable store does: what was accepted and has no result that was kept is handed to the next one.
 * Never asks the scheduler what it believes where the books know better. Invariants that they check: a demand is in one state; it ends once, by
 * the result of its newest lease; fences grow; nobody is promised more than he has; retries keep to their budget.
 */
import assert from 'node:assert/strict';
import type { AgentFacts, Fleet } from '../../coordinator/agents/fleet.ts';
import type { Demand, DemandListener, Scheduler } from '../../coordinator/scheduler/scheduler.ts';
import type { SystemError } from '../../shared/errors.ts';
import type { AgentId, ExecutionId } from '../../shared/ids.ts';
import type { Obstacle } from '../../shared/model/placement.ts';
import type { LeaseResultMessage } from '../../shared/protocol/agent-messages.ts';
import type { SimulatedChance, SimulatedTime } from './simulated-time.ts';

/** What became of one demand; `keeping`: it has a result that a crash would still take away. */
export interface Account {
  readonly demand: Demand;
  readonly submittedMs: number;
  /** When the present scheduler got it. */
  queuedSinceMs: number;
  state: 'queued' | 'placed' | 'keeping' | 'done' | 'given-up' | 'withdrawn';
  agentId: AgentId | null;
  placedMs: number;
  fence: number;
  attempts: number;
  waitMs: number | null;
  latencyMs: number | null;
  couldRunSinceMs: number | null;
}

/** What an agent can be promised. */
interface Capacity {
  readonly slots: number;
  readonly memoryBytes: number;
}

/** How many times a demand may fail through our fault. */
export const RETRIES_MAX = 3;
/** A demand that could run somewhere is placed within this: two waits for a busy holder, a sweep, the back-off after a failure. */
const IDLE_MS_MAX = 2500;
/** The scheduler looks after deadlines this often, and a bit. */
const SWEEP_MS = 300;
/** Retries beside a tenth of the demands: a reserve, and so many a second (retry-budget.ts). */
const RETRY_RESERVE = 200;
const RETRIES_PER_SECOND = 5;
/** Of so many that wait each look asks why. */
const LOOKED_AT = 8;
/** An agent that refused has a short rest, however often the scheduler says so. */
const isPassing = (obstacle: Obstacle) => obstacle === 'resting';
const KEEPING_MS: readonly [number, number] = [0.5, 10];

/** See the head of this file. */
export class Books {
  readonly counts = {
    ...{ submitted: 0, queued: 0, placed: 0, keeping: 0, done: 0, givenUp: 0, withdrawn: 0 },
    ...{ quarantined: 0, placements: 0, retries: 0, failOvers: 0 },
    /** What was given to another while its agent still had it. */
    repeats: 0,
  };
  readonly #time: SimulatedTime;
  readonly #chance: SimulatedChance;
  readonly #capacities = new Map<AgentId, Capacity>();
  readonly #accounts = new Map<ExecutionId, Account>();
  readonly #waiting = new Set<Account>();
  readonly #running = new Set<Account>();
  /** What each agent was promised: memory by demand. */
  readonly #promised = new Map<AgentId, Map<ExecutionId, number>>();
  readonly #served = new Map<string, number>();
  readonly #madeBy = new WeakMap<LeaseResultMessage, number>();
  readonly #keepers = new WeakMap<Promise<void>, (() => void)[]>();
  /** Counts schedulers: one that was thrown away has nothing to say any more. */
  #life = 0;
  #submissions = 0;

  readonly #has: (agentId: AgentId, executionId: ExecutionId) => boolean;

  /** `has`: does the agent run this, or keep a result of it? */
  constructor(
    time: SimulatedTime,
    chance: SimulatedChance,
    has: (agentId: AgentId, executionId: ExecutionId) => boolean,
  ) {
    this.#time = time;
    this.#chance = chance;
    this.#has = has;
  }

  /** There is such an agent. */
  register(id: AgentId, capacity: Capacity): void {
    this.#capacities.set(id, capacity);
    this.#promised.set(id, new Map());
  }

  /** A demand was accepted; the scheduler gets it next. */
  submitted(demand: Demand): void {
    const nowMs = this.#time.monotonicMs();
    const account: Account = {
      ...{ demand, submittedMs: nowMs, queuedSinceMs: nowMs, state: 'queued', agentId: null, placedMs: 0 },
      ...{ fence: 0, attempts: 0, waitMs: null, latencyMs: null, couldRunSinceMs: null },
    };
    this.#accounts.set(demand.executionId, account);
    this.#waiting.add(account);
    this.counts.submitted += 1;
    this.counts.queued += 1;
    this.#submissions += 1;
  }

  /** Its client does not want it any more; false when it is over, or has its result. */
  withdrawn(id: ExecutionId): boolean {
    const account = this.#of(id);
    if (account.state !== 'queued' && account.state !== 'placed') return false;
    this.#move(account, 'withdrawn');
    return true;
  }

  /** The coordinator is gone with its memory; what the next one takes up, oldest first. */
  crashed(): Demand[] {
    this.#life += 1;
    this.counts.failOvers += 1;
    const open = [...this.#accounts.values()].filter(({ state }) => ['queued', 'placed', 'keeping'].includes(state));
    for (const account of open) {
      if (account.state !== 'queued') this.#move(account, 'queued');
      account.queuedSinceMs = this.#time.monotonicMs();
      account.couldRunSinceMs = null;
    }
    this.#submissions += open.length;
    return open.map(({ demand }) => demand);
  }

  /** An agent is sent this fence for a demand. */
  offered(id: ExecutionId, fence: number): void {
    const account = this.#of(id);
    assert.ok(fence > account.fence, `${id} is offered with fence ${fence} after ${account.fence}`);
    account.fence = fence;
  }

  /** An agent made a result of a lease with this fence. */
  made(result: LeaseResultMessage, fence: number): LeaseResultMessage {
    this.#madeBy.set(result, fence);
    return result;
  }

  /** Calls back when a result is durable, and never when a crash came first. */
  whenKept(keeping: Promise<void>, action: () => void): void {
    this.#keepers.get(keeping)?.push(action);
  }

  /** The listener of the present scheduler. */
  listener(): DemandListener {
    const life = this.#life;
    const heard = (id: ExecutionId) => {
      assert.equal(life, this.#life, `a scheduler that was thrown away speaks of ${id}`);
      return this.#of(id);
    };
    return {
      placed: (id, agent) => this.#placed(heard(id), agent),
      started: (id) => assert.equal(heard(id).state, 'placed'),
      fetching: () => undefined,
      output: () => undefined,
      tested: () => undefined,
      told: () => undefined,
      requeued: (id, cause) => this.#requeued(heard(id), cause),
      completed: (id, result) => this.#completed(heard(id), result),
      gaveUp: (id, cause) => this.#gaveUp(heard(id), cause),
    };
  }

  #placed(account: Account, { id }: AgentFacts): void {
    account.attempts += 1;
    account.agentId = id;
    account.placedMs = this.#time.monotonicMs();
    account.waitMs ??= account.placedMs - account.submittedMs;
    this.counts.placements += 1;
    assert.equal(account.state, 'queued', `${account.demand.executionId} is placed while it is ${account.state}`);
    this.#move(account, 'placed');
    this.#promise(account, id);
  }

  #requeued(account: Account, cause: SystemError): void {
    assert.equal(account.state, 'placed');
    this.#move(account, 'queued');
    if (cause.code === 'agent-refused') return;
    this.counts.retries += 1;
    if (account.agentId !== null && this.#has(account.agentId, account.demand.executionId)) this.counts.repeats += 1;
    const most = RETRY_RESERVE * (this.#life + 1) + this.#submissions / 10;
    const soFar = most + (RETRIES_PER_SECOND * this.#time.monotonicMs()) / 1000;
    assert.ok(this.counts.retries <= soFar, `${this.counts.retries} retries of ${this.counts.submitted} demands`);
  }

  #completed(account: Account, result: LeaseResultMessage): Promise<void> {
    const { demand, fence } = account;
    assert.equal(result.failure?.isRetryable ?? false, false, 'it ends by what could be tried again');
    assert.equal(account.state, 'placed', `a second result of ${demand.executionId}, or one after its end`);
    assert.equal(this.#madeBy.get(result), fence, 'the result of its newest lease counts, and no other');
    this.#move(account, 'keeping');
    account.latencyMs = this.#time.monotonicMs() - account.submittedMs;
    const [life, keeping, waiting] = [this.#life, new Promise<void>(() => undefined), [] as (() => void)[]];
    this.#keepers.set(keeping, waiting);
    this.#time.after(this.#chance.between(...KEEPING_MS), () => {
      if (life !== this.#life) return;
      this.#move(account, 'done');
      for (const action of waiting) action();
    });
    return keeping;
  }

  #gaveUp(account: Account, { code, message }: SystemError): void {
    const { state, attempts } = account;
    assert.ok(state === 'queued' || state === 'placed');
    assert.ok(['retries-exhausted', 'no-agent', 'execution-quarantined'].includes(code), code);
    if (code === 'execution-quarantined') {
      assert.ok(attempts >= 2);
      this.counts.quarantined += 1;
    }
    if (code === 'retries-exhausted' && !message.startsWith('so much fails')) assert.ok(attempts > RETRIES_MAX);
    if (code === 'no-agent') assert.ok(this.#waitedMs(account) >= account.demand.waitMsMax, 'given up too early');
    this.#move(account, 'given-up');
  }

  #move(account: Account, state: Account['state']): void {
    const name = (from: Account['state']) => (from === 'given-up' ? 'givenUp' : from);
    this.counts[name(account.state)] -= 1;
    this.counts[name(state)] += 1;
    if (account.state === 'placed') this.#leave(account, state);
    else this.#waiting.delete(account);
    account.state = state;
    account.couldRunSinceMs = null;
    if (state === 'queued') this.#waiting.add(account);
    if (state === 'placed') this.#running.add(account);
  }

  #leave(account: Account, next: Account['state']): void {
    const { demand, placedMs } = account;
    this.#running.delete(account);
    this.#giveBack(account);
    // What failed through our fault is no service.
    if (next === 'queued') return;
    const before = this.#served.get(demand.tenantId) ?? 0;
    this.#served.set(demand.tenantId, before + this.#time.monotonicMs() - placedMs);
  }

  /** Nobody is promised more slots or memory than he has. */
  #promise(account: Account, agentId: AgentId): void {
    const [promised, capacity] = [this.#promised.get(agentId), this.#capacities.get(agentId)];
    assert.ok(promised !== undefined && capacity !== undefined);
    promised.set(account.demand.executionId, account.demand.memoryBytes);
    const memoryBytes = [...promised.values()].reduce((sum, bytes) => sum + bytes, 0);
    assert.ok(promised.size <= capacity.slots, `${agentId} has ${promised.size} demands on ${capacity.slots} slots`);
    assert.ok(memoryBytes <= capacity.memoryBytes, `${agentId} is promised ${memoryBytes} bytes`);
  }

  #giveBack({ agentId, demand }: Account): void {
    if (agentId !== null) this.#promised.get(agentId)?.delete(demand.executionId);
  }

  /** An agent has lost its connection, and has leases of these fences only: whatever else it was offered never came to it. */
  parted(agentId: AgentId, fences: ReadonlySet<number>): void {
    const promised = this.#promised.get(agentId);
    // It may have the same demand by an older lease, which promises nothing any more.
    for (const id of promised?.keys() ?? []) if (!fences.has(this.#of(id).fence)) promised?.delete(id);
  }

  #of(id: ExecutionId): Account {
    const account = this.#accounts.get(id);
    assert.ok(account !== undefined, `nobody asked for ${id}`);
    return account;
  }

  #waitedMs({ queuedSinceMs }: Account): number {
    return this.#time.monotonicMs() - queuedSinceMs;
  }

  /** Every demand of a tenant. */
  of(tenantId: string): Account[] {
    return [...this.#accounts.values()].filter(({ demand }) => demand.tenantId === tenantId);
  }

  /** How many wait of a tenant. */
  waitingOf(tenantId: string): number {
    return [...this.#waiting].filter(({ demand }) => demand.tenantId === tenantId).length;
  }

  /** Slot-milliseconds that a tenant has had until now. */
  servedOf(tenantId: string): number {
    const nowMs = this.#time.monotonicMs();
    const running = [...this.#running].filter(({ demand }) => demand.tenantId === tenantId);
    return running.reduce((sum, { placedMs }) => sum + nowMs - placedMs, this.#served.get(tenantId) ?? 0);
  }

  /** What must be true after every event; cheap. */
  check(scheduler: Scheduler): void {
    const { submitted, queued, placed, keeping, done, givenUp, withdrawn } = this.counts;
    assert.equal(submitted, queued + placed + keeping + done + givenUp + withdrawn, 'every demand is somewhere');
    assert.equal(scheduler.depth, queued, 'the queue is what was told');
    assert.ok(scheduler.running >= placed, 'whatever is placed has a lease');
  }

  /** What must be true now and then: nothing waits longer than it may, nor for long while an agent could take it. */
  checkWaiting(scheduler: Scheduler): void {
    const nowMs = this.#time.monotonicMs();
    for (const account of this.#waiting) {
      const { demand } = account;
      assert.ok(
        this.#waitedMs(account) <= demand.waitMsMax + SWEEP_MS,
        `${demand.executionId} waits past its deadline`,
      );
    }
    for (const account of [...this.#waiting].slice(0, LOOKED_AT)) {
      const { executionId } = account.demand;
      const couldRun =
        scheduler.explain(executionId)?.agents.some(({ obstacles }) => obstacles.every(isPassing)) ?? false;
      account.couldRunSinceMs = couldRun ? (account.couldRunSinceMs ?? nowMs) : null;
      const idleMs = nowMs - (account.couldRunSinceMs ?? nowMs);
      assert.ok(idleMs <= IDLE_MS_MAX, `${executionId} waits although an agent could take it`);
    }
  }

  /** The scheduler's own books of every agent. */
  checkAgents(fleet: Fleet): void {
    for (const { id, leases, slots, freeMemoryBytes } of fleet.all()) {
      // Who has only just come back has not said yet how many he has.
      assert.ok(leases <= slots || slots === 0, `${id} has ${leases} leases on ${slots} slots`);
      assert.ok(freeMemoryBytes >= 0, `${id} has more memory promised than it offers`);
    }
  }

  /** Everything is over, and everybody has what he had. */
  checkEnd(scheduler: Scheduler, fleet: Fleet): void {
    const { submitted, done, givenUp, withdrawn, queued, placed, keeping } = this.counts;
    assert.deepEqual([queued, placed, keeping], [0, 0, 0], 'everything ended');
    assert.equal(submitted, done + givenUp + withdrawn);
    assert.equal(scheduler.running, 0, 'no lease is left');
    for (const { id, leases, freeMemoryBytes } of fleet.all()) {
      const had = [0, this.#capacities.get(id)?.memoryBytes];
      assert.deepEqual([leases, freeMemoryBytes], had, `${id} has all it had`);
    }
  }
}
