/**
 * Owns what is known about one execution of this site from its acceptance to its result, and assembles the answer from it. Never runs, keeps or sends.
 * Invariants: its stage moves by the lifecycle's table; `done` resolves after whoever ended it has kept the result.
 */
import { type Clock, type Timer, toTimestamp } from '../../shared/clock.ts';
import { EventLog } from '../../shared/http/event-log.ts';
import { toScore, toSkipped } from '../../shared/judging/course.ts';
import { executionLifecycle, type Stage, type StageCause } from '../../shared/lifecycle/execution.ts';
import type { Execution as Answer, ExecutionRequest } from '../../shared/model/execution.ts';
import type { LayerReference } from '../../shared/model/manifest.ts';
import type { LeaseResultMessage } from '../../shared/protocol/agent-messages.ts';
import type { Execution } from '../execution/executor.ts';
import type { HeldEnvironment } from './held-environments.ts';

/** How it was asked for. */
export interface LocalTerms {
  readonly id: string;
  readonly tenantId: string;
  readonly request: ExecutionRequest;
  /** Of the request as JSON. */
  readonly characters: number;
  readonly createdAt: string;
  /** It survives this process from its acceptance on. */
  readonly isDurable: boolean;
  readonly agent: Answer['agent'];
}

const LOG_BYTES_MAX = 2 * 1024 * 1024;
const noTiming = { fetchMs: 0, prepareMs: 0, executeMs: 0, collectMs: 0 };

/** See the head of this file. */
export class LocalExecution {
  readonly terms: LocalTerms;
  readonly log = new EventLog(LOG_BYTES_MAX);
  readonly done: Promise<Answer>;
  environment: HeldEnvironment;
  /** Of its check program; null when that has none of its own. */
  checkEnvironment: HeldEnvironment | null = null;
  /** While it runs. */
  running: { readonly execution: Execution; readonly layers: readonly LayerReference[] } | null = null;
  result: LeaseResultMessage | null = null;
  failure: Answer['failure'] = null;
  /** Ends its waiting. */
  deadline: Timer | null = null;
  readonly #clock: Clock;
  readonly #startMs: number;
  #resolve: (answer: Answer) => void = () => undefined;
  #stage: Stage = 'queued';
  #queuedMs = 0;
  #endMs = 0;
  #finishedAt: string | null = null;

  constructor(clock: Clock, terms: LocalTerms, environment: HeldEnvironment) {
    this.#clock = clock;
    this.terms = terms;
    this.environment = environment;
    this.#startMs = clock.monotonicMs();
    this.done = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get id(): string {
    return this.terms.id;
  }

  get stage(): Stage {
    return this.#stage;
  }

  get isOver(): boolean {
    return executionLifecycle.isFinal(this.#stage);
  }

  move(cause: StageCause): void {
    const from = this.#stage;
    this.#stage = executionLifecycle.next(from, cause);
    const nowMs = this.#clock.monotonicMs();
    if (from === 'queued') this.#queuedMs = nowMs - this.#startMs;
    if (this.isOver) {
      this.deadline?.cancel();
      this.#endMs = nowMs;
      this.#finishedAt = toTimestamp(this.#clock.nowMs());
    } else this.log.append('stage', { stage: this.#stage, cause });
  }

  /** Tells everybody that waits. */
  announce(answer: Answer): void {
    this.log.append('stage', { stage: this.#stage, cause: null });
    this.log.close('finished', answer);
    this.#resolve(answer);
  }

  #timing(): Answer['timing'] {
    const nowMs = this.#clock.monotonicMs();
    const queuedMs = this.#stage === 'queued' ? nowMs - this.#startMs : this.#queuedMs;
    const { fetchMs, prepareMs, executeMs, collectMs, ...finer } = this.result?.timing ?? noTiming;
    const totalMs = (this.isOver ? this.#endMs : nowMs) - this.#startMs;
    const known = queuedMs + fetchMs + prepareMs + executeMs + collectMs;
    const overheadMs = this.result === null ? 0 : Math.max(0, totalMs - known);
    return { queuedMs, buildMs: 0, fetchMs, prepareMs, executeMs, collectMs, overheadMs, ...finer };
  }

  #judgement(): Pick<Answer, 'tests' | 'check' | 'score'> {
    const { result, checkEnvironment: own } = this;
    const { request } = this.terms;
    const tests = result?.tests ?? toSkipped(request.tests ?? []);
    const compile = result?.check?.compile ?? null;
    const environment = own === null ? null : { id: own.id, scope: own.scope, layers: result?.check?.layers ?? [] };
    const prepared = { environment, setup: null, dependencies: null, verify: null, compile };
    return {
      tests,
      check: own !== null || compile !== null ? prepared : null,
      score: this.isOver ? toScore(request, tests) : null,
    };
  }

  /** The execution as every answer shows it. */
  toAnswer(): Answer {
    const { result, environment } = this;
    const { id, agent, request, createdAt } = this.terms;
    const isPlaced = this.#stage !== 'queued' && (this.running !== null || result !== null);
    return {
      ...{ id, stage: this.#stage, verdict: result?.verdict ?? null, endedIn: result?.endedIn ?? null },
      environment: { id: environment.id, scope: environment.scope, layers: result?.layers ?? [] },
      ...{ setup: null, dependencies: null, verify: null },
      ...{ compile: result?.compile ?? null, run: result?.run ?? null, ...this.#judgement() },
      timing: this.#timing(),
      ...{ certificate: result?.certificate ?? null, receipt: null, files: [] },
      ...{ agent: isPlaced ? agent : null, attempts: isPlaced ? 1 : 0, failure: this.failure },
      ...{ metadata: request.metadata ?? {}, createdAt, finishedAt: this.#finishedAt },
    };
  }
}
