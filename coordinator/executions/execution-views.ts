/**
 * Owns what clients see of executions: one, many, and why one is where it is. Never changes anything.
 * Invariant: a result is shown once it is kept, not before.
 */
import type { Clock } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import type { EventLog } from '../../shared/http/event-log.ts';
import { toClosedLog } from '../../shared/http/execution-terms.ts';
import type { ExecutionId } from '../../shared/ids.ts';
import type { Execution } from '../../shared/model/execution.ts';
import type { PlacementAnswer } from '../../shared/model/placement.ts';
import type { Scheduler } from '../scheduler/scheduler.ts';
import { toConstraints } from './demand.ts';
import type { LiveExecution } from './live-execution.ts';
import type { LiveExecutions } from './live-executions.ts';
import type { Page } from './page.ts';
import { toPlacementAnswer } from './placement-answer.ts';
import type { ExecutionStore } from './state-store.ts';

/** What views need. */
export interface ExecutionViewsDeps {
  readonly clock: Clock;
  readonly store: Pick<ExecutionStore, 'get' | 'list' | 'tenantOf'>;
  readonly scheduler: Pick<Scheduler, 'explain'>;
}

/** How long whoever asks for a result that can't be kept now is left waiting. */
const RESULT_MS_MAX = 5000;

/** See the head of this file. */
export class ExecutionViews {
  readonly #deps: ExecutionViewsDeps;
  readonly #live: Pick<LiveExecutions, 'find' | 'findOfAny' | 'found' | 'newest'>;

  constructor(deps: ExecutionViewsDeps, live: Pick<LiveExecutions, 'find' | 'findOfAny' | 'found' | 'newest'>) {
    this.#deps = deps;
    this.#live = live;
  }

  /** The live or just finished execution of a tenant, for events. */
  find(tenantId: string, id: string): LiveExecution | null {
    return this.#live.find(tenantId, id);
  }

  /** The execution as it is now; SystemError `execution-not-found`, or `state-store-unavailable` while its result can't be kept. */
  async get(tenantId: string, id: string): Promise<Execution> {
    const execution = this.find(tenantId, id);
    const shown = execution?.isOver ? await this.#resultOf(execution) : execution?.toAnswer();
    const answer = shown ?? (await this.#deps.store.get(tenantId, id));
    if (answer === null) throw new SystemError('execution-not-found', `there is no execution ${id}`);
    return answer;
  }

  async #resultOf({ id, done }: LiveExecution): Promise<Execution | null> {
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = this.#deps.clock.after(RESULT_MS_MAX, () => {
      reject(new SystemError('state-store-unavailable', `${id} is over and its result can't be recorded now`));
    });
    return await Promise.race([done, promise]).finally(() => timer.cancel());
  }

  /**
   * What is told of an execution: as it happens, or its end alone when that is all that is remembered. What is recorded and not over yet, after a start or
   * a move, is waited for until it is taken up here. SystemError `execution-not-found`, or `shard-moved` when it isn't.
   */
  async follow(tenantId: string, id: string): Promise<EventLog> {
    const { clock, store } = this.#deps;
    const live = this.find(tenantId, id);
    if (live !== null) return live.log;
    const stored = await this.get(tenantId, id);
    if (stored.finishedAt !== null) return toClosedLog(stored);
    const taken = await this.#live.found(stored.id as ExecutionId, () => store.get(tenantId, id), clock);
    if (!('answer' in taken)) return taken.log;
    if (taken.answer.finishedAt !== null) return toClosedLog(taken.answer);
    throw new SystemError('shard-moved', `${id} is being taken up; ask again`, { retryAfterSeconds: 2 });
  }

  /** Why an execution is where it is; SystemError `execution-not-found`, also when that is not remembered any more. */
  explain(tenantId: string, id: string): PlacementAnswer {
    const execution = this.find(tenantId, id);
    if (execution === null) {
      throw new SystemError('execution-not-found', `there is no execution ${id}, or its placement is not remembered`);
    }
    const { terms, own, placements } = execution;
    const environment = own.ready;
    const obstacles = this.#deps.scheduler.explain(execution.id);
    const { key: _, ...constraints } = toConstraints(terms.request, environment?.architecture ?? '', terms.isPiped);
    return toPlacementAnswer(constraints, environment?.digests.length ?? 0, placements, obstacles);
  }

  /** Of all tenants, those that are remembered here, newest first. */
  newest(limit: number): { tenantId: string; answer: Execution }[] {
    const known = this.#live.newest(limit).map((live) => ({ tenantId: live.terms.tenantId, answer: live.toAnswer() }));
    const byAge = (one: { answer: Execution }, other: { answer: Execution }) =>
      other.answer.createdAt < one.answer.createdAt ? -1 : 1;
    return known.sort(byAge).slice(0, limit);
  }

  /** Whose an execution is; SystemError `execution-not-found`. */
  async tenantOf(id: string): Promise<string> {
    const tenantId = this.#live.findOfAny(id)?.terms.tenantId ?? (await this.#deps.store.tenantOf(id));
    if (tenantId === null) throw new SystemError('execution-not-found', `there is no execution ${id}`);
    return tenantId;
  }

  /** Durable executions of a tenant, newest first. */
  async list(tenantId: string, cursor: number | null, limit: number): Promise<Page<Execution>> {
    const page = await this.#deps.store.list(tenantId, cursor, limit);
    return { items: page.items.map((item) => this.find(tenantId, item.id)?.toAnswer() ?? item), next: page.next };
  }
}
