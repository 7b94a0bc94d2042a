/**
 * Owns whose turn it is: what waits, by tenant, and what each tenant has been charged for. Start-time fair queueing (Goyal, Vin, Cheng 1996)
 * over the dominant resource's time (Ghodsi et al., "Multi-Resource Fair Queueing", 2012): decision 18.
 * Never knows agents, clocks or what an item is: costs are given, and what could not be served stays where it was.
 * Invariants: a tenant's tag is its charges by its weight, and while it has anything waiting or running it moves by them alone; a tenant that
 * comes back, or was at its bound, begins where the others are, without credit for its absence; within a tenant the same holds between lanes; in a lane what came
 * first goes first, and what came back goes before it.
 */
import { type ConcurrencyBounds, noBounds } from './concurrency.ts';
import { type Heaped, IndexedHeap } from './indexed-heap.ts';

/** What waits: whose it is, in which lane of its tenant, and what it will probably cost, in slot-milliseconds. */
export interface Queued {
  readonly id: string;
  readonly tenantId: string;
  readonly weight: number;
  readonly lane: string;
  readonly cost: number;
}

/** Somebody's tenant with work that waits; costs in slot-milliseconds. */
export interface Backlog {
  readonly tenantId: string;
  readonly weight: number;
  readonly items: number;
  readonly cost: number;
}

interface Lane<Item> {
  tag: number;
  /** What was served and came back, by what each may have to wait for alone. */
  readonly returned: Map<string, Map<string, Item>>;
  readonly waiting: Map<string, Item>;
}

interface Account<Item> extends Heaped {
  readonly tenantId: string;
  readonly order: number;
  weight: number;
  /** Virtual time: charges divided by weight. */
  tag: number;
  items: number;
  cost: number;
  running: number;
  /** Charges for what runs and has not used them up yet, by item. */
  readonly unspent: Map<string, number>;
  unspentCost: number;
  laneTime: number;
  /** As much runs as may at once: what waits is nobody's turn. */
  isHeldBack: boolean;
  readonly lanes: Map<string, Lane<Item>>;
}

/** How items are offered. */
export interface Serving<Item, Taker> {
  /** Could anybody take something of this lane? Asked before any item of it is tried, and cheap. */
  isOpen(lane: string): boolean;
  /** Who takes this item, or null: then it stays where it is. */
  choose(item: Item): Taker | null;
  /** The item is charged with its cost and counts as running until `ended`; whoever gets it may come back here. */
  give(item: Item, taker: Taker): void;
}

/** How many items of a tenant are tried before the next one's turn: whoever wants what nobody has is nobody else's wait. */
const ACCOUNT_TRIES = 64;
/** How many of a lane's first items are tried, and as many of those that came back: these may have to wait for a reason of their own. */
const LANE_TRIES = 4;

/** See the head of this file. */
export class FairQueue<Item extends Queued> {
  readonly #accounts = new Map<string, Account<Item>>();
  readonly #backlogged = new IndexedHeap<Account<Item>>(isBefore);
  readonly #bounds: ConcurrencyBounds;
  readonly #reasonOf: (item: Item) => string;
  #virtualTime = 0;
  #order = 0;
  #size = 0;

  /**
   * Without bounds a tenant may have everything at once. `reasonOf`: what an item that comes back may have to wait for while others of its lane need not;
   * the same text for the same.
   */
  constructor(bounds: ConcurrencyBounds = noBounds, reasonOf: (item: Item) => string = () => '') {
    this.#bounds = bounds;
    this.#reasonOf = reasonOf;
  }

  /** Items that wait. */
  get size(): number {
    return this.#size;
  }

  /** Puts an item at the end of its lane. */
  push(item: Item): void {
    this.#lane(item).waiting.set(item.id, item);
    this.#added(item);
  }

  /** Puts an item that was served before everything in its lane that was not; its charge was taken back by `charge`. */
  putBack(item: Item): void {
    const { returned } = this.#lane(item);
    const reason = this.#reasonOf(item);
    returned.set(reason, (returned.get(reason) ?? new Map<string, Item>()).set(item.id, item));
    this.#added(item);
  }

  /** Takes an item out; false when it does not wait. */
  remove(item: Item): boolean {
    const account = this.#accounts.get(item.tenantId);
    const lane = account?.lanes.get(item.lane);
    if (account === undefined || lane === undefined) return false;
    if (!takeOut(lane, item)) return false;
    this.#removed(account, item);
    return true;
  }

  /** Offers items in their order until nobody takes any more. */
  serve<Taker>(offer: Serving<Item, Taker>): void {
    const aside: Account<Item>[] = [];
    for (let account = this.#backlogged.first(); account !== undefined; account = this.#backlogged.first()) {
      const served = this.#serveOne(account, offer);
      if (served === null) {
        this.#backlogged.remove(account);
        aside.push(account);
      } else {
        offer.give(served.item, served.taker);
      }
    }
    for (const account of aside) this.#place(account);
  }

  /** This tenant may have more, or less, at once than before. */
  boundChanged(tenantId: string): void {
    const account = this.#accounts.get(tenantId);
    if (account !== undefined) this.#place(account);
  }

  /** Puts a tenant where its turn is; one that has nothing waiting, or may have nothing more at once, has none. */
  #place(account: Account<Item>): void {
    const wasHeldBack = account.isHeldBack;
    account.isHeldBack = account.items > 0 && this.#bounds.isFull(account.tenantId);
    if (account.items === 0 || account.isHeldBack) {
      this.#backlogged.remove(account);
      return;
    }
    if (wasHeldBack) account.tag = Math.max(account.tag, this.#virtualTime);
    this.#backlogged.place(account);
  }

  /** The first item of this tenant that is taken, from its lanes in their order. */
  #serveOne<Taker>(
    account: Account<Item>,
    { isOpen, choose }: Serving<Item, Taker>,
  ): { readonly item: Item; readonly taker: Taker } | null {
    const lanes = [...account.lanes].filter(([, lane]) => hasItems(lane)).sort(([, a], [, b]) => a.tag - b.tag);
    let attempts = 0;
    for (const [name, lane] of lanes) {
      if (!isOpen(name)) continue;
      for (const queue of [
        inRounds([...lane.returned.values()].map((items) => items.values())),
        lane.waiting.values(),
      ]) {
        let tries = 0;
        for (const item of queue) {
          if (tries++ >= LANE_TRIES) break;
          if (attempts++ >= ACCOUNT_TRIES) return null;
          const taker = choose(item);
          if (taker === null) continue;
          this.#served(account, lane, item);
          return { item, taker };
        }
      }
    }
    return null;
  }

  #served(account: Account<Item>, lane: Lane<Item>, item: Item): void {
    takeOut(lane, item);
    // Of what runs half is over, on average: whoever comes now has its turns until it holds as much.
    this.#virtualTime = Math.max(this.#virtualTime, account.tag - account.unspentCost / 2 / account.weight);
    account.laneTime = Math.max(account.laneTime, lane.tag);
    lane.tag += item.cost;
    account.running += 1;
    this.#bounds.took(account.tenantId);
    account.unspent.set(item.id, item.cost);
    account.unspentCost += item.cost;
    account.tag += item.cost / account.weight;
    this.#removed(account, item);
  }

  /** Charges a tenant with more, or with less when it cost less than was thought: the difference, in slot-milliseconds. */
  charge(item: Item, difference: number): void {
    const account = this.#accounts.get(item.tenantId);
    if (account === undefined || difference === 0) return;
    spend(account, item);
    account.tag += difference / account.weight;
    this.#place(account);
  }

  /** An item that was taken is over. */
  ended(item: Item): void {
    const account = this.#accounts.get(item.tenantId);
    if (account === undefined) return;
    spend(account, item);
    account.running -= 1;
    this.#bounds.released(account.tenantId);
    this.#place(account);
  }

  /** Charges a tenant for what it had elsewhere, in slot-milliseconds; one that has nothing here begins where the others are anyway. */
  chargeTenant(tenantId: string, cost: number): void {
    const account = this.#accounts.get(tenantId);
    if (account === undefined) return;
    account.tag += cost / account.weight;
    this.#place(account);
  }

  /** Everything that waits, a tenant after the other by their turns, each time one item, in its order. */
  inTurn(): IterableIterator<Item> {
    const waiting = [...this.#accounts.values()]
      .filter(({ items }) => items > 0)
      .sort((a, b) => (isBefore(a, b) ? -1 : 1));
    return inRounds(waiting.map(({ lanes }) => itemsOf(lanes)));
  }

  /** Who has work that waits, without others that are at their bounds: these are in nobody's way. */
  backlogs(askingId = ''): Backlog[] {
    const all = [...this.#accounts.values()];
    return all.filter(({ items, isHeldBack, tenantId }) => items > 0 && (!isHeldBack || tenantId === askingId));
  }

  /** What waits of one tenant. */
  backlogOf(tenantId: string): Pick<Backlog, 'items' | 'cost'> {
    return this.#accounts.get(tenantId) ?? { items: 0, cost: 0 };
  }

  /** Everything that waits, in no order. */
  *items(): IterableIterator<Item> {
    for (const { lanes } of this.#accounts.values()) yield* itemsOf(lanes);
  }

  #lane({ tenantId, weight, lane }: Item): Lane<Item> {
    // Virtual time matters only to who begins to wait.
    if ((this.#accounts.get(tenantId)?.items ?? 0) === 0) this.#catchUp();
    let account = this.#accounts.get(tenantId);
    if (account === undefined) {
      const rank = { order: this.#order++, heapIndex: -1, tag: this.#virtualTime };
      account = {
        tenantId,
        weight,
        items: 0,
        cost: 0,
        running: 0,
        unspent: new Map(),
        unspentCost: 0,
        laneTime: 0,
        isHeldBack: false,
        lanes: new Map(),
        ...rank,
      };
      this.#accounts.set(tenantId, account);
    }
    account.weight = weight;
    if (account.items === 0) account.tag = Math.max(account.tag, this.#virtualTime);
    let found = account.lanes.get(lane);
    if (found === undefined) {
      found = { tag: 0, returned: new Map(), waiting: new Map() };
      account.lanes.set(lane, found);
    }
    if (!hasItems(found)) found.tag = Math.max(found.tag, account.laneTime);
    return found;
  }

  #added(item: Item): void {
    const account = this.#accounts.get(item.tenantId) as Account<Item>;
    account.items += 1;
    account.cost += item.cost;
    this.#size += 1;
    this.#place(account);
  }

  #removed(account: Account<Item>, item: Item): void {
    account.items -= 1;
    account.cost = account.items === 0 ? 0 : account.cost - item.cost;
    this.#size -= 1;
    if (account.items === 0) account.lanes.clear();
    this.#place(account);
  }

  /**
   * Virtual time is never behind the one who was served least of those who have anything, without what is only charged in advance; who has
   * nothing and is not ahead is forgotten.
   */
  #catchUp(): void {
    let least = Number.POSITIVE_INFINITY;
    let most = this.#virtualTime;
    for (const { tag, items, running, unspentCost, weight } of this.#accounts.values()) {
      if (items > 0 || running > 0) least = Math.min(least, tag - unspentCost / weight);
      most = Math.max(most, tag);
    }
    this.#virtualTime = Math.max(this.#virtualTime, least === Number.POSITIVE_INFINITY ? most : least);
    for (const [tenantId, { tag, items, running }] of this.#accounts) {
      if (items === 0 && running === 0 && tag <= this.#virtualTime) this.#accounts.delete(tenantId);
    }
  }
}

function hasItems<Item>({ returned, waiting }: Lane<Item>): boolean {
  return returned.size > 0 || waiting.size > 0;
}

/** What waits in these lanes, the lanes in their order. */
function* itemsOf<Item>(lanes: ReadonlyMap<string, Lane<Item>>): IterableIterator<Item> {
  for (const { returned, waiting } of [...lanes.values()].sort((a, b) => a.tag - b.tag)) {
    for (const items of returned.values()) yield* items.values();
    yield* waiting.values();
  }
}

/** One item of each, then the next one of each, until there are no more. */
function* inRounds<Item>(all: readonly IterableIterator<Item>[]): IterableIterator<Item> {
  let iterators = all;
  while (iterators.length > 0) {
    const further: IterableIterator<Item>[] = [];
    for (const iterator of iterators) {
      const next = iterator.next();
      if (next.done === true) continue;
      yield next.value;
      further.push(iterator);
    }
    iterators = further;
  }
}

/** Takes an item out of its lane; false when it is not there. */
function takeOut<Item extends Queued>({ returned, waiting }: Lane<Item>, { id }: Item): boolean {
  if (waiting.delete(id)) return true;
  for (const [reason, items] of returned) {
    if (!items.delete(id)) continue;
    if (items.size === 0) returned.delete(reason);
    return true;
  }
  return false;
}

/** What an item was charged in advance is used up, or settled. */
function spend<Item>(account: Account<Item>, { id }: Queued): void {
  account.unspentCost -= account.unspent.get(id) ?? 0;
  account.unspent.delete(id);
}

/** The least tag; then who holds less now for its weight; then who came first. */
function isBefore(a: Account<unknown>, b: Account<unknown>): boolean {
  if (a.tag !== b.tag) return a.tag < b.tag;
  const [shareOfA, shareOfB] = [a.running / a.weight, b.running / b.weight];
  return shareOfA !== shareOfB ? shareOfA < shareOfB : a.order < b.order;
}
