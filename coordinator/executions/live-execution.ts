/**
 * Owns what is known about one execution from its acceptance to its result, and assembles the answer from it. The only place that moves
 * its stage; only execution-service calls it. Never sends, stores or schedules.
 * Invariant: a final stage is entered once, and `done` resolves after whoever ended it has kept the result.
 */
import { type Clock, toTimestamp } from '../../shared/clock.ts';
import { EventLog, numberFrom } from '../../shared/http/event-log.ts';
import type { ExecutionId } from '../../shared/ids.ts';
import { toScore, toSkipped } from '../../shared/judging/course.ts';
import { executionLifecycle, type Stage, type StageCause } from '../../shared/lifecycle/execution.ts';
import type { Execution, ExecutionRequest } from '../../shared/model/execution.ts';
import type { TestResult } from '../../shared/model/judging.ts';
import type { Rerun } from '../../shared/model/timing-certificate.ts';
import type { LeaseResultMessage } from '../../shared/protocol/agent-messages.ts';
import type { AgentFacts } from '../agents/fleet.ts';
import { type HeldFiles, noFiles } from '../files/request-files.ts';
import type { DemandResult, LeaseFetching } from '../scheduler/scheduler.ts';
import { Terminal } from '../terminals/terminal.ts';
import { checkEnvironmentOf } from './environment-wait.ts';
import { ExecutionEnvironment } from './execution-environment.ts';
import type { ExecutionTrace, RequestTrace } from './execution-trace.ts';
import type { Attempt } from './placement-answer.ts';

/** How an execution was asked for. */
export interface ExecutionTerms {
  readonly tenantId: string;
  readonly request: ExecutionRequest;
  /** Recorded before it was accepted; else it lives in memory only. */
  readonly isDurable: boolean;
  /** Is output to be sent while it runs? */
  readonly isStreamed: boolean;
  /** An interactive one: has it pipes in the place of a terminal? Its output is then told as any other's. */
  readonly isPiped?: boolean;
  /** Of its request; null or absent: nobody looks. */
  readonly trace?: RequestTrace | null;
}

const LOG_BYTES_MAX = 2 * 1024 * 1024;
const noTiming: LeaseResultMessage['timing'] = { fetchMs: 0, prepareMs: 0, executeMs: 0, collectMs: 0 };
const noReports = { setup: null, dependencies: null, verify: null };

/** One execution that has no result yet, or has just got it. */
export class LiveExecution {
  readonly id: ExecutionId;
  readonly terms: ExecutionTerms;
  readonly log: EventLog;
  /** The answer once it is kept; null when it became somebody else's. */
  readonly done: Promise<Execution | null>;
  readonly own = new ExecutionEnvironment();
  /** Of its check program; null when that has none of its own. */
  readonly check: ExecutionEnvironment | null;
  /** Null: nobody looks. */
  readonly trace: ExecutionTrace | null;
  /** Of an interactive one. */
  readonly terminal: Terminal | null;
  endedByBuild: Pick<Execution, 'verdict' | 'endedIn'> | null = null;
  result: DemandResult | null = null;
  failure: Execution['failure'] = null;
  agent: AgentFacts | null = null;
  attempts = 0;
  /** Tests that are over, while others are not. */
  readonly tested = new Map<number, TestResult>();
  /** Where it was placed, the newest last. */
  readonly placements: Attempt[] = [];
  isOver = false;
  /** It is somebody else's: whatever happens here is not its result. */
  isAbandoned = false;
  /** What its request names, as long as it is not over here. */
  files: HeldFiles = noFiles;
  /** Stops waiting for the environment's build, while there is one. */
  unwant: (() => void) | null = null;
  readonly #clock: Clock;
  readonly #createdAt: string;
  readonly #startMs: number;
  #resolve: (answer: Execution | null) => void = () => undefined;
  #stage: Stage = 'queued';
  #stageMs: number;
  #queuedMs = 0;
  #buildMs = 0;
  #finishedAt: string | null = null;
  #endMs = 0;

  /** `createdAt`: of one that is taken up again. */
  constructor(clock: Clock, id: ExecutionId, terms: ExecutionTerms, createdAt: string | null = null) {
    this.#clock = clock;
    this.log = new EventLog(LOG_BYTES_MAX, createdAt === null ? 0 : numberFrom(clock));
    if (createdAt !== null) this.log.append('stage', { stage: 'queued', cause: 'requeued' });
    this.id = id;
    this.terms = terms;
    this.trace = terms.trace?.accepted(id, terms.tenantId) ?? null;
    this.check = checkEnvironmentOf(terms.request) === null ? null : new ExecutionEnvironment();
    const isPiped = terms.isPiped === true;
    this.terminal = terms.request.interactive === true ? new Terminal(clock, id, this.log, isPiped) : null;
    this.#createdAt = createdAt ?? toTimestamp(clock.nowMs());
    this.#startMs = clock.monotonicMs();
    this.#stageMs = this.#startMs;
    this.done = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get stage(): Stage {
    return this.#stage;
  }

  /** Is it neither running nor over? */
  get isWaiting(): boolean {
    return this.#stage === 'queued' || this.#stage === 'building';
  }

  /** Is it ours to move: neither over nor somebody else's? */
  get isOpen(): boolean {
    return !this.isOver && !this.isAbandoned;
  }

  /** By the wall clock; one that is not over has not ended. */
  get endedAtMs(): number {
    return this.#finishedAt === null ? Number.POSITIVE_INFINITY : Date.parse(this.#finishedAt);
  }

  /** Whose result it is. */
  agentOf({ outcome, first }: Rerun): AgentFacts | null {
    if (outcome === 'repeated') return this.agent;
    return this.placements.find(({ agent }) => agent.id === first.agent)?.agent ?? this.agent;
  }

  allows(cause: StageCause): boolean {
    return executionLifecycle.allows(this.#stage, cause);
  }

  /** Moves the stage and books the time of the one that ends. */
  move(cause: StageCause): void {
    const from = this.#stage;
    const nowMs = this.#clock.monotonicMs();
    this.#stage = executionLifecycle.next(from, cause);
    if (from === 'queued') this.#queuedMs += nowMs - this.#stageMs;
    if (from === 'building') this.#buildMs += nowMs - this.#stageMs;
    this.#stageMs = nowMs;
    this.trace?.moved(from, this.#stage);
    if (executionLifecycle.isFinal(this.#stage)) {
      this.isOver = true;
      this.#endMs = nowMs;
      this.#finishedAt = toTimestamp(this.#clock.nowMs());
    } else {
      this.log.append('stage', { stage: this.#stage, cause });
    }
  }

  /** So far its agent is with fetching layers. */
  fetching({ bytes, bytesTotal }: LeaseFetching): void {
    const fraction = bytesTotal === 0 ? null : Math.min(1, bytes / bytesTotal);
    this.log.append('fetch.progress', { phase: 'fetching', bytes, bytesTotal, fraction });
  }

  /** Tells everybody that waits; call once the result is kept. */
  announce(answer: Execution): void {
    this.files.release(answer);
    this.trace?.ended(answer);
    this.log.append('stage', { stage: this.#stage, cause: null });
    this.log.close('finished', answer);
    this.#resolve(answer);
  }

  /** Whoever waits here is to ask again. */
  abandon(): void {
    this.isAbandoned = true;
    this.files.release(null);
    this.unwant?.();
    this.log.cut();
    this.#resolve(null);
  }

  #timing(): Execution['timing'] {
    const nowMs = this.#clock.monotonicMs();
    const isQueued = this.#stage === 'queued';
    const queuedMs = this.#queuedMs + (isQueued ? nowMs - this.#stageMs : 0);
    const buildMs = this.#buildMs + (this.#stage === 'building' ? nowMs - this.#stageMs : 0);
    const { fetchMs, prepareMs, executeMs, collectMs, ...finer } = this.result?.timing ?? noTiming;
    const totalMs = (this.isOver ? this.#endMs : nowMs) - this.#startMs;
    const known = queuedMs + buildMs + fetchMs + prepareMs + executeMs + collectMs;
    const overheadMs = this.result === null ? 0 : Math.max(0, totalMs - known);
    return { queuedMs, buildMs, fetchMs, prepareMs, executeMs, collectMs, overheadMs, ...finer };
  }

  /** Until there is a result: the tests that are over. */
  #judgement(): Pick<Execution, 'tests' | 'check' | 'score'> {
    const { request } = this.terms;
    const { result, check } = this;
    const skipped = toSkipped(request.tests ?? []);
    const tests = result?.tests ?? skipped.map((none, index) => this.tested.get(index) ?? none);
    const compile = result?.check?.compile ?? null;
    const environment = check?.toUse(result?.check?.layers ?? []) ?? null;
    const isPrepared = check !== null || compile !== null;
    return {
      tests,
      check: isPrepared ? { environment, ...(check?.reports ?? noReports), compile } : null,
      score: this.isOver ? toScore(request, tests) : null,
    };
  }

  /** The execution as every answer shows it. */
  toAnswer(): Execution {
    const { result, agent } = this;
    return {
      id: this.id,
      stage: this.#stage,
      verdict: this.endedByBuild?.verdict ?? result?.verdict ?? null,
      endedIn: this.endedByBuild?.endedIn ?? result?.endedIn ?? null,
      environment: this.own.toUse(result?.layers ?? []),
      ...this.own.reports,
      compile: result?.compile ?? null,
      run: result?.run ?? null,
      ...this.#judgement(),
      timing: this.#timing(),
      certificate: result?.certificate ?? null,
      ...(result?.rerun === undefined ? {} : { rerun: result.rerun }),
      receipt: result?.receipt ?? null,
      ...this.files.toAnswer(result),
      agent: agent === null ? null : { id: agent.id, name: agent.name, pool: agent.pool },
      attempts: this.attempts,
      failure: this.failure,
      metadata: this.terms.request.metadata ?? {},
      createdAt: this.#createdAt,
      finishedAt: this.#finishedAt,
    };
  }
}
