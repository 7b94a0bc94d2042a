/**
 * Owns our demands on the agents of one other coordinator: what was lent, what became of it, and what is done when the link breaks. Speaks the
 * dialler's part of peer-messages. Never decides what is lent (cluster-scheduler).
 * Invariants: a loan ends once: completed, given up, or back here; what waited there comes back at once when the link breaks, what ran
 * after a grace, in which the other may come back with it.
 */
import type { Clock, Timer } from '../../shared/clock.ts';
import { SystemError, toErrorCode } from '../../shared/errors.ts';
import type { ExecutionId } from '../../shared/ids.ts';
import { unpackResult } from '../../shared/protocol/packed-outputs.ts';
import type { TerminalCommand } from '../../shared/protocol/terminal-flow.ts';
import { memoryBytesOf } from '../../shared/text-length.ts';
import type { AgentFacts } from '../agents/fleet.ts';
import type { Demand } from '../scheduler/scheduler.ts';
import type { DialledMessage, DiallerMessage } from './peer-messages.ts';

/** A demand and how long it may still wait. */
export interface Lendable {
  readonly demand: Demand;
  readonly waitMsMax: number;
}

/** Where loans come back to. */
export interface LoanKeeper {
  /** The demand is here again; `cause` when it had an agent there. */
  returned(demand: Demand, cause: SystemError | null): void;
  /** The demand is over. */
  ended(executionId: ExecutionId): void;
}

interface Loan {
  readonly id: string;
  readonly demand: Demand;
  readonly bytes: number;
  state: 'waiting' | 'recalled' | 'placed';
}

/** Messages about one loan. */
type LoanMessage = Extract<DialledMessage, { demand: string }>;

/** See the head of this file. */
export class Loans {
  readonly #clock: Clock;
  readonly #graceMs: number;
  readonly #send: (message: DiallerMessage) => boolean;
  readonly #keeper: LoanKeeper;
  readonly #loans = new Map<string, Loan>();
  readonly #byExecution = new Map<ExecutionId, Loan>();
  #number = 0;
  #grace: Timer | null = null;

  constructor(
    clock: Clock,
    keeper: LoanKeeper,
    options: { graceMs: number; send: (message: DiallerMessage) => boolean },
  ) {
    this.#clock = clock;
    this.#keeper = keeper;
    this.#graceMs = options.graceMs;
    this.#send = options.send;
  }

  /** Lends a demand; false when the link is down. */
  lend({ demand, waitMsMax }: Lendable): boolean {
    const { executionId, tenantId, weight, kind, durationMsMax, memoryBytes, diskBytes, layers, constraints } = demand;
    const { needs, ...where } = constraints;
    const { isPrivate, foreignPools, privatePools, layers: seen, limits } = demand.site;
    const id = `${++this.#number}`;
    const order = demand.order();
    const isSent = this.#send({
      type: 'demand.submit',
      demand: id,
      ...{ executionId, tenantId, weight, kind, durationMsMax, waitMsMax, memoryBytes, diskBytes },
      layers: [...layers],
      constraints: {
        ...{ ...where, labels: { ...where.labels } },
        ...(needs === undefined ? {} : { needs: [...needs] }),
      },
      site: {
        ...{ isPrivate, foreignPools: [...foreignPools], privatePools: [...privatePools] },
        ...{ layers: [...seen], limits: [...limits] },
      },
      order,
    });
    if (!isSent) return false;
    const loan: Loan = { id, demand, bytes: memoryBytesOf(order), state: 'waiting' };
    this.#loans.set(id, loan);
    this.#byExecution.set(executionId, loan);
    return true;
  }

  /** Loans that wait for an agent there. */
  *waiting(): IterableIterator<Demand> {
    for (const { state, demand } of this.#loans.values()) if (state === 'waiting') yield demand;
  }

  /** What waits there weighs; bytes. */
  get waitingBytes(): number {
    let bytes = 0;
    for (const loan of this.#loans.values()) if (loan.state !== 'placed') bytes += loan.bytes;
    return bytes;
  }

  /** Asks for a demand back; it comes unless it is placed first. */
  recall(executionId: ExecutionId): void {
    const loan = this.#byExecution.get(executionId);
    if (loan?.state !== 'waiting') return;
    loan.state = 'recalled';
    this.#send({ type: 'demand.recall', demand: loan.id });
  }

  /** Ends a demand wherever it is there; false when it is not. */
  withdraw(executionId: ExecutionId): boolean {
    const loan = this.#byExecution.get(executionId);
    if (loan === undefined) return false;
    this.#forget(loan);
    this.#send({ type: 'demand.withdraw', demand: loan.id });
    return true;
  }

  /** Something for the terminal of a demand that is there; false when it is not. */
  command(executionId: ExecutionId, command: TerminalCommand): boolean {
    const loan = this.#byExecution.get(executionId);
    if (loan?.state === 'placed') this.#send({ type: 'demand.command', demand: loan.id, command });
    return loan !== undefined;
  }

  #forget(loan: Loan): void {
    this.#loans.delete(loan.id);
    this.#byExecution.delete(loan.demand.executionId);
  }

  #giveBack(loan: Loan, cause: SystemError | null): void {
    this.#forget(loan);
    this.#keeper.returned(loan.demand, cause);
  }

  /** The link is up: the other hears what we still want from it. */
  up(): void {
    this.#grace?.cancel();
    this.#grace = null;
    this.#send({ type: 'demand.resume', demands: [...this.#loans.keys()] });
  }

  /** The link is down; `isGone`: nobody will answer there any more. */
  down(isGone: boolean): void {
    for (const loan of [...this.#loans.values()]) if (loan.state !== 'placed') this.#giveBack(loan, null);
    if (isGone) this.#loseAll();
    else this.#grace ??= this.#clock.after(this.#graceMs, () => this.#loseAll());
  }

  #loseAll(): void {
    this.#grace?.cancel();
    this.#grace = null;
    for (const loan of [...this.#loans.values()]) this.#lose(loan);
  }

  #lose(loan: Loan): void {
    if (loan.state !== 'placed') this.#giveBack(loan, null);
    else this.#giveBack(loan, new SystemError('agent-lost', 'the coordinator of its agent was lost while it ran this'));
  }

  /** Takes what the other says about a loan; what is not ours any more is passed over. */
  message(message: LoanMessage): void {
    const loan = this.#loans.get(message.demand);
    if (loan === undefined) return;
    const { demand } = loan;
    const { executionId, listener } = demand;
    switch (message.type) {
      case 'demand.placed':
        // Said again after a broken link.
        if (loan.state === 'placed') return;
        loan.state = 'placed';
        listener.placed(executionId, message.agent as AgentFacts, message.considered as never);
        return;
      case 'demand.started':
        listener.started(executionId);
        return;
      case 'demand.fetching':
        listener.fetching(executionId, message);
        return;
      case 'demand.output':
        listener.output(executionId, message);
        return;
      case 'demand.tested':
        listener.tested(executionId, message);
        return;
      case 'demand.news':
        listener.told(executionId, message.news);
        return;
      case 'demand.requeued':
        loan.state = 'waiting';
        listener.requeued(executionId, toTold(message));
        return;
      case 'demand.withdrawn':
        this.#giveBack(loan, null);
        return;
      case 'demand.lost':
        this.#lose(loan);
        return;
      default:
        this.#end(loan, message);
    }
  }

  #end(loan: Loan, message: Extract<LoanMessage, { type: 'demand.completed' | 'demand.gave-up' }>): void {
    const { executionId, listener } = loan.demand;
    if (message.type === 'demand.gave-up') {
      this.#forget(loan);
      this.#keeper.ended(executionId);
      listener.gaveUp(executionId, toTold(message));
      return;
    }
    const result = this.#toResult(loan, message);
    if (result === null) return;
    const keep = () => void this.#send({ type: 'demand.kept', demand: loan.id });
    this.#forget(loan);
    this.#keeper.ended(executionId);
    const kept = listener.completed(executionId, result);
    if (kept === undefined) keep();
    // What could not be kept is said again by its agent.
    else kept.then(keep, () => undefined);
  }

  /** The result; null: it is none and would be none if it were said again, so that nobody keeps it there and the demand is back. */
  #toResult(loan: Loan, { result }: Extract<LoanMessage, { type: 'demand.completed' }>): typeof result | null {
    try {
      return unpackResult(result);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.#send({ type: 'demand.withdraw', demand: loan.id });
      this.#giveBack(loan, error);
      return null;
    }
  }
}

function toTold({ code, detail, ...more }: { code: string; detail: string; retryAfterSeconds?: number | null }) {
  const { retryAfterSeconds = null } = more;
  return new SystemError(toErrorCode(code), detail, retryAfterSeconds === null ? {} : { retryAfterSeconds });
}
