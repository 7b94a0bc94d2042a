/**
 * Owns which executions are here: those that are being accepted, those that have no result yet, and for a while those that have one.
 * Never moves an execution. Invariant: an execution is taken up once, however often its record is read.
 */
import type { LRUCache } from 'lru-cache';
import { atMost, type Clock, passed } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import { type ExecutionId, isId } from '../../shared/ids.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { rememberFinished } from './finished-executions.ts';
import type { LiveExecution } from './live-execution.ts';
import type { ExecutionName } from './state-store.ts';

/** How a client asks. */
export interface SubmitTerms {
  readonly tenantId: string;
  readonly isWaited: boolean;
  /** The client's Idempotency-Key, or null. */
  readonly key: string | null;
}

/** An accepted execution: live, or only recorded, most often because it is over: then its idempotency key was known. */
export type Submitted = LiveExecution | { readonly answer: Execution };

/** How long an execution that is recorded and not here may take to be taken up, and how often it is looked for; milliseconds. */
const TAKEN_UP_MS_MAX = 5000;
const LOOK_MS = 50;

/** See the head of this file. */
export class LiveExecutions {
  readonly #live = new Map<ExecutionId, LiveExecution>();
  /** What is being accepted, or taken up. */
  readonly #expected = new Map<ExecutionId, LiveExecution>();
  readonly #finished: LRUCache<string, LiveExecution>;

  constructor(finishedKept: number) {
    this.#finished = rememberFinished(finishedKept);
  }

  get(id: ExecutionId): LiveExecution | undefined {
    return this.#live.get(id);
  }

  all(): LiveExecution[] {
    return [...this.#live.values()];
  }

  /** Those, and what will be here in a moment. */
  withExpected(): LiveExecution[] {
    return [...this.#live.values(), ...this.#expected.values()];
  }

  /** Tenants that have something here, or will in a moment. */
  tenants(): Set<string> {
    return new Set(this.withExpected().map(({ terms }) => terms.tenantId));
  }

  /** It is ours and not here yet, though its record may be in the store: until it is added or forgotten. */
  expect(execution: LiveExecution): void {
    this.#expected.set(execution.id, execution);
  }

  /** Records those that are expected from then on, unless that fails, or they were here before: then which those were. */
  async accepting(
    executions: readonly LiveExecution[],
    record: () => Promise<readonly ExecutionId[] | null>,
  ): Promise<readonly ExecutionId[] | null> {
    for (const execution of executions) this.expect(execution);
    let isExpected = false;
    try {
      const taken = await record();
      isExpected = taken === null;
      return taken;
    } finally {
      if (!isExpected) for (const execution of executions) this.forget(execution);
    }
  }

  /** Is it here, or about to be, or was it until a moment ago? */
  has(id: ExecutionId): boolean {
    return this.#live.has(id) || this.#expected.get(id)?.isAbandoned === false || this.#finished.has(id);
  }

  add(execution: LiveExecution): void {
    this.#unexpect(execution);
    this.#live.set(execution.id, execution);
  }

  #unexpect(execution: LiveExecution): void {
    // Its successor may have taken its place.
    if (this.#expected.get(execution.id) === execution) this.#expected.delete(execution.id);
  }

  /** Resolves when those of now that are meant have ended, or the time is over. */
  async untilEnded(isMeant: (execution: LiveExecution) => boolean, clock: Clock, timeMsMax: number): Promise<void> {
    const meant = this.all().filter(isMeant);
    await atMost(clock, timeMsMax, Promise.all(meant.map(({ done }) => done)));
  }

  /** One that is recorded: as it is here, or by its record when it is over; another coordinator may have had it a moment ago. */
  async found(id: ExecutionId, read: () => Promise<Execution | null>, clock: Clock): Promise<Submitted> {
    const untilMs = clock.monotonicMs() + TAKEN_UP_MS_MAX;
    for (;;) {
      const live = this.#live.get(id);
      if (live !== undefined) return live;
      const answer = await read();
      if (answer === null) throw new SystemError('execution-not-found', `execution ${id} was deleted`);
      if (answer.finishedAt !== null || clock.monotonicMs() >= untilMs) return { answer };
      await passed(clock, LOOK_MS);
    }
  }

  /** It has its result. */
  finished(execution: LiveExecution): void {
    this.#live.delete(execution.id);
    this.#finished.set(execution.id, execution);
  }

  /** Those that ended by then, or one of a tenant, are not remembered any more. */
  forgetEnded(what: { readonly endedAtMs: number } | ExecutionName): void {
    if ('id' in what) {
      if (this.#finished.peek(what.id)?.terms.tenantId === what.tenantId) this.#finished.delete(what.id);
      return;
    }
    for (const [id, execution] of [...this.#finished.entries()]) {
      if (execution.endedAtMs <= what.endedAtMs) this.#finished.delete(id);
    }
  }

  /** It is somebody else's; was it here already? */
  forget(execution: LiveExecution): boolean {
    this.#unexpect(execution);
    return this.#live.get(execution.id) === execution && this.#live.delete(execution.id);
  }

  /** Of all tenants: the newest that have no result yet, and those that got one last. */
  newest(limit: number): LiveExecution[] {
    const ended: LiveExecution[] = [];
    for (const execution of this.#finished.values()) {
      if (ended.length >= limit) break;
      ended.push(execution);
    }
    return [...this.all().slice(-limit), ...ended];
  }

  /** The same, whosever it is. */
  findOfAny(id: string): LiveExecution | null {
    return isId('execution', id) ? (this.#live.get(id) ?? this.#finished.get(id) ?? null) : null;
  }

  /** The live or just finished execution of a tenant; null: there is none. */
  find(tenantId: string, id: string): LiveExecution | null {
    const execution = this.findOfAny(id);
    return execution?.terms.tenantId === tenantId ? execution : null;
  }
}
