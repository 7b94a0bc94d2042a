/**
 * Owns what tenants pay: a demand's price before it runs, the charge while it holds a lease, and the settlement when that is over.
 * Never decides who goes next (fair-queue). Costs in slot-milliseconds.
 * Invariants: a tenant pays for the time that its demands held, and nothing for what failed through our fault; what runs longer than was
 * thought is paid for while it does.
 */
import type { Clock } from '../../shared/clock.ts';
import type { LeaseResultMessage } from '../../shared/protocol/agent-messages.ts';
import { CostEstimates } from './cost-estimates.ts';
import type { FairQueue, Queued } from './fair-queue.ts';
import type { Demand } from './scheduler.ts';

/** What charges need to know of whoever is charged. */
export interface Charged extends Queued {
  readonly demand: Demand;
  /** How many slots' worth of the machines it takes: more than one when its memory is scarcer. */
  readonly slots: number;
  /** When it began to wait, or got the lease that is out. */
  sinceMs: number;
  /** What its tenant has been charged for the lease that is out. */
  charged: number;
  /** What it did on slots that its agent lent it beside its own; slot-milliseconds, known at its end. */
  lentMs?: number;
}

/** Slots and memory of all agents together. */
export interface Capacity {
  readonly slots: number;
  readonly memoryBytes: number;
}

/** What a tenant was charged; slot-milliseconds, less than nothing when something cost less than was thought. */
export interface TenantCharge {
  readonly tenantId: string;
  readonly weight: number;
  readonly cost: number;
}

/** What takes longer waits in another lane of its tenant. */
const LONG_MS = 5000;

/**
 * The lane of what takes long or not, and as much memory to a power of two, under the constraints of this key and with access to the same pools:
 * what waits for much is in nobody's way who needs little.
 */
export function toLane(isLong: boolean, memoryBytes: number, constraintsKey: string, accessNumber = 0): string {
  const pools = accessNumber === 0 ? '' : `-${accessNumber}`;
  return `${isLong ? 'long' : 'short'}-${Math.ceil(Math.log2(Math.max(1, memoryBytes)))}${pools} ${constraintsKey}`;
}

/** The key of the constraints of everything in a lane. */
export function constraintsKeyOf(lane: string): string {
  return lane.slice(lane.indexOf(' ') + 1);
}

/** The charges of one queue. */
export class Charges<Item extends Charged> {
  readonly #clock: Clock;
  readonly #queue: FairQueue<Item>;
  readonly #estimates = new CostEstimates();
  readonly #told = new Map<string, TenantCharge>();

  constructor(clock: Clock, queue: FairQueue<Item>) {
    this.#clock = clock;
    this.#queue = queue;
  }

  /** What tenants were charged since this was last asked, for those who charge them for the same. */
  takeTold(): TenantCharge[] {
    const told = [...this.#told.values()].filter(({ cost }) => cost !== 0);
    this.#told.clear();
    return told;
  }

  #tell({ tenantId, weight }: Item, cost: number): void {
    this.#told.set(tenantId, { tenantId, weight, cost: (this.#told.get(tenantId)?.cost ?? 0) + cost });
  }

  /** Mean duration of what ran; milliseconds. */
  get meanMs(): number {
    return this.#estimates.meanMs;
  }

  /** What a demand will probably cost on these machines, and in which lane it waits. */
  price(
    { tenantId, kind, durationMsMax, memoryBytes, constraints }: Demand,
    capacity: Capacity,
    accessNumber: number,
  ): Pick<Charged, 'cost' | 'slots' | 'lane'> {
    const durationMs = this.#estimates.estimate(tenantId, kind, durationMsMax);
    const slots = toSlots(memoryBytes, capacity);
    const lane = toLane(durationMs > LONG_MS, memoryBytes, constraints.key, accessNumber);
    return { cost: durationMs * slots, slots, lane };
  }

  /** A lease begins: its price was charged when it was taken from the queue. */
  begin(item: Item): void {
    item.charged = item.cost;
    this.#tell(item, item.cost);
    item.sinceMs = this.#clock.monotonicMs();
  }

  /** The lease is over, and the tenant pays for the time that it took. */
  settle(item: Item): void {
    this.#end(item, (this.#clock.monotonicMs() - item.sinceMs + (item.lentMs ?? 0)) * item.slots);
  }

  /** The lease is over through our fault. */
  forgive(item: Item): void {
    this.#end(item, 0);
  }

  /** The lease goes on: what it takes above its price is charged now. */
  goOn(item: Item): void {
    const more = (this.#clock.monotonicMs() - item.sinceMs) * item.slots - item.charged;
    if (more <= 0) return;
    this.#queue.charge(item, more);
    this.#tell(item, more);
    item.charged += more;
  }

  /** Remembers how long a lease took that ended well, and what it did beside its own slot: more than there was time for on one. */
  learn(item: Item, { prepareMs, executeMs, collectMs }: LeaseResultMessage['timing']): void {
    const { demand, sinceMs } = item;
    const heldMs = this.#clock.monotonicMs() - sinceMs;
    item.lentMs = Math.max(0, prepareMs + executeMs + collectMs - heldMs);
    this.#estimates.learn(demand.tenantId, demand.kind, heldMs + item.lentMs);
  }

  #end(item: Item, cost: number): void {
    this.#queue.charge(item, cost - item.charged);
    this.#tell(item, cost - item.charged);
    this.#queue.ended(item);
    item.charged = 0;
    item.lentMs = 0;
  }
}

/** The dominant resource, as slots: memory counts when it is a larger part of the fleet's than one slot is of its slots. */
function toSlots(memoryBytes: number, capacity: Capacity): number {
  if (capacity.memoryBytes === 0) return 1;
  return Math.max(1, Math.min(capacity.slots, (memoryBytes * capacity.slots) / capacity.memoryBytes));
}
