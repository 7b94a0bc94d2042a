/**
 * Owns the demands of one other coordinator on our agents: they wait in our queue like our own, and what becomes of them is told over its link.
 * Speaks the dialled part of peer-messages. Never lends them on.
 * Invariants: what happened while the link was broken is said again when it is back; when it does not come back in time, all of them are ended.
 */
import type { Clock, Timer } from '../../shared/clock.ts';
import type { SystemError } from '../../shared/errors.ts';
import type { ExecutionId } from '../../shared/ids.ts';
import type { Demand, DemandListener, Scheduler } from '../scheduler/scheduler.ts';
import type { DialledMessage, DiallerMessage } from './peer-messages.ts';

type Submission = Extract<DiallerMessage, { type: 'demand.submit' }>;
/** Messages about demands. */
export type GuestMessage = Extract<DiallerMessage, { type: `demand.${string}` }>;

type GuestScheduler = Pick<Scheduler, 'submit' | 'withdraw' | 'command'>;

interface Guest {
  readonly id: string;
  /** It has a terminal: what that said while the link was broken is to be said again. */
  readonly isInteractive: boolean;
  /** What the scheduler calls it: the same execution may be here twice, for the one who was its owner and the one who is. */
  readonly executionId: ExecutionId;
  /** What is said again after a broken link: that it came back from an agent, if that is not known; the last placement, whether it has started, the result. */
  requeued: DialledMessage | null;
  placed: DialledMessage | null;
  started: DialledMessage | null;
  ended: DialledMessage | null;
  /** Settles the promise that the scheduler has got for the result. */
  keep: (() => void) | null;
}

/** See the head of this file. */
export class Guests {
  readonly #clock: Clock;
  readonly #scheduler: GuestScheduler;
  readonly #owner: string;
  readonly #graceMs: number;
  readonly #guests = new Map<string, Guest>();
  #send: ((message: DialledMessage) => void) | null = null;
  #grace: Timer | null = null;

  /** Of the coordinator with this id. */
  constructor(owner: string, deps: { clock: Clock; scheduler: GuestScheduler }, options: { graceMs: number }) {
    const { clock, scheduler } = deps;
    this.#owner = owner;
    this.#clock = clock;
    this.#scheduler = scheduler;
    this.#graceMs = options.graceMs;
  }

  get size(): number {
    return this.#guests.size;
  }

  /** There is a link. */
  up(send: (message: DialledMessage) => void): void {
    this.#grace?.cancel();
    this.#grace = null;
    this.#send = send;
  }

  /** The link is gone; what its owner does not ask for again in time is ended. */
  down(send: (message: DialledMessage) => void): void {
    // A newer link may have taken its place.
    if (this.#send !== send) return;
    this.#send = null;
    this.#grace = this.#clock.after(this.#graceMs, () => this.end());
  }

  /** Ends all of them; their owner, if it can be reached, has them back. */
  end(): void {
    this.#grace?.cancel();
    this.#grace = null;
    for (const guest of [...this.#guests.values()]) {
      this.#withdraw(guest);
      this.#send?.({ type: 'demand.lost', demand: guest.id });
    }
  }

  /** Gives back what waits for an agent. */
  release(): void {
    for (const { id } of [...this.#guests.values()]) this.#recall(id);
  }

  #withdraw(guest: Guest): void {
    this.#guests.delete(guest.id);
    if (guest.ended === null) this.#scheduler.withdraw(guest.executionId);
    // Nobody wants the result: its agent may forget it.
    guest.keep?.();
  }

  message(message: GuestMessage): void {
    switch (message.type) {
      case 'demand.submit':
        this.#submit(message);
        break;
      case 'demand.recall':
        this.#recall(message.demand);
        break;
      case 'demand.withdraw': {
        const guest = this.#guests.get(message.demand);
        if (guest !== undefined) this.#withdraw(guest);
        break;
      }
      case 'demand.kept': {
        const guest = this.#guests.get(message.demand);
        this.#guests.delete(message.demand);
        guest?.keep?.();
        break;
      }
      case 'demand.command': {
        const guest = this.#guests.get(message.demand);
        if (guest !== undefined) this.#scheduler.command(guest.executionId, message.command);
        break;
      }
      case 'demand.resume':
        this.#resume(message.demands);
    }
  }

  #submit({ demand: id, executionId: execution, order, site, ...terms }: Submission): void {
    const executionId = `${execution} ${this.#owner} ${id}` as ExecutionId;
    const nothing = { requeued: null, placed: null, started: null, ended: null };
    const isInteractive = order.terminal !== undefined;
    const guest: Guest = { id, executionId, isInteractive, ...nothing, keep: null };
    this.#guests.set(id, guest);
    const demand: Demand = {
      ...{ ...terms, executionId, order: () => order, listener: this.#listen(guest) },
      site: { ...site, tenantId: terms.tenantId },
    };
    this.#scheduler.submit(demand);
  }

  #recall(id: string): void {
    const guest = this.#guests.get(id);
    if (guest === undefined || guest.placed !== null || guest.ended !== null) return;
    this.#withdraw(guest);
    this.#send?.({ type: 'demand.withdrawn', demand: id });
  }

  #resume(wanted: readonly string[]): void {
    const listed = new Set(wanted);
    for (const guest of [...this.#guests.values()]) if (!listed.has(guest.id)) this.#withdraw(guest);
    for (const id of listed) {
      const guest = this.#guests.get(id);
      if (guest === undefined) this.#send?.({ type: 'demand.lost', demand: id });
      else this.#repeat(guest);
    }
  }

  #repeat(guest: Guest): void {
    for (const said of [guest.requeued, guest.placed, guest.started, guest.ended])
      if (said !== null) this.#send?.(said);
    guest.requeued = null;
    if (guest.isInteractive) this.#scheduler.command(guest.executionId, { kind: 'repeat' });
  }

  #listen(guest: Guest): DemandListener {
    const { id: demand } = guest;
    const say = (message: DialledMessage): DialledMessage => {
      this.#send?.(message);
      return message;
    };
    return {
      placed: (_id, agent, considered) => {
        const facts = { ...agent, labels: { ...agent.labels } };
        guest.placed = say({ type: 'demand.placed', demand, agent: facts, considered: [...considered] });
      },
      started: () => {
        guest.started = say({ type: 'demand.started', demand });
      },
      fetching: (_id, { bytes, bytesTotal }) => void say({ type: 'demand.fetching', demand, bytes, bytesTotal }),
      tested: (_id, { index, test }) => void say({ type: 'demand.tested', demand, index, test }),
      output: (_id, { script, stream, data }) => void say({ type: 'demand.output', demand, script, stream, data }),
      told: (_id, news) => void say({ type: 'demand.news', demand, news }),
      requeued: (_id, { code, message: detail }) => {
        guest.placed = null;
        guest.started = null;
        const said = say({ type: 'demand.requeued', demand, code, detail });
        if (this.#send === null) guest.requeued = said;
      },
      completed: (_id, result) => {
        guest.ended = say({ type: 'demand.completed', demand, result });
        return new Promise((resolve) => {
          guest.keep = resolve;
        });
      },
      gaveUp: (_id, cause) => {
        say(toGivenUp(demand, cause));
        // Nothing of it is left here; after a broken link `demand.lost` brings it back to where it came from.
        this.#guests.delete(demand);
      },
    };
  }
}

function toGivenUp(demand: string, { code, message: detail, retryAfterSeconds }: SystemError): DialledMessage {
  return { type: 'demand.gave-up', demand, code, detail, retryAfterSeconds: retryAfterSeconds ?? null };
}
