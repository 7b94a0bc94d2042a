/**
 * Owns executions from request to result: the only writer of an execution's stage. Never chooses an agent (scheduler) and never builds
 * (environments).
 * Invariants: an asynchronous execution is durable before it is accepted, its result before it is announced; a result counts once; what was
 * accepted and not finished is taken up again after a restart.
 */
import type { Clock, Random } from '../../shared/clock.ts';
import { type ErrorCode, type SystemError, toSystemError } from '../../shared/errors.ts';
import type { ExecutionId } from '../../shared/ids.ts';
import type { StageCause } from '../../shared/lifecycle/execution.ts';
import type { Logger } from '../../shared/logger.ts';
import type { Execution, ExecutionRequest } from '../../shared/model/execution.ts';
import type { AllLimits } from '../../shared/model/limits.ts';
import type { LayerManifest } from '../../shared/model/manifest.ts';
import type { TerminalNews } from '../../shared/protocol/terminal-flow.ts';
import type { AgentFacts } from '../agents/fleet.ts';
import type { ReadyEnvironment } from '../environments/environment-build.ts';
import type { EnvironmentService } from '../environments/environment-service.ts';
import type { RequestFiles } from '../files/request-files.ts';
import type { Considered } from '../scheduler/placement.ts';
import type {
  DemandListener,
  DemandResult,
  LeaseFetching,
  LeaseOutput,
  LeaseTest,
  Scheduler,
} from '../scheduler/scheduler.ts';
import type { Tenant } from '../tenants/keys.ts';
import type { TerminalOptions } from '../terminals/terminal.ts';
import type { Admission } from './admission.ts';
import { type NamedPools, readyOf, toClaim } from './demand.ts';
import { EnvironmentWait, type OpenedEnvironments, openEnvironments } from './environment-wait.ts';
import { ExecutionViews } from './execution-views.ts';
import { orderObjectionTo, toLeaseOrder } from './lease-order.ts';
import type { ExecutionTerms, LiveExecution } from './live-execution.ts';
import { LiveExecutions, type Submitted } from './live-executions.ts';
import type { RequestMemory } from './request-memory.ts';
import { ResultKeeping } from './result-keeping.ts';
import { resumeUnfinished } from './resumption.ts';
import { type ShardLease, shardOf } from './shard-store.ts';
import type { ExecutionStore } from './state-store.ts';
import { Submissions, type SubmitTerms } from './submissions.ts';

/** What the service talks to. */
export interface ExecutionServiceDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly store: ExecutionStore;
  /** The lease under which a tenant's records are written; SystemError `shard-moved` when they are somebody else's. */
  readonly shards: { leaseFor(tenantId: string): ShardLease; isKept(shard: number): boolean };
  readonly environments: EnvironmentService;
  readonly scheduler: Scheduler;
  readonly admission: Pick<Admission, 'admit' | 'giveBack' | 'entered' | 'left'>;
  readonly memory: Pick<RequestMemory, 'take' | 'hold' | 'giveBack'>;
  readonly tenants: (id: string) => Tenant;
  readonly pools: NamedPools;
  readonly files: Pick<RequestFiles, 'hold' | 'holdAgain'>;
  /** Is a layer with this manifest not to be used any more? */
  readonly isRevoked: (manifest: LayerManifest) => boolean;
  /** Hears of every placement. */
  readonly placed?: (environment: ReadyEnvironment, terms: ExecutionTerms) => void;
  /** Hears of every lease that gave no result that counts. */
  readonly requeued?: (code: ErrorCode) => void;
  /** Hears of every execution that is over. */
  readonly ended?: (answer: Execution, terms: ExecutionTerms) => void;
  /** Refuses what is to be kept for a tenant that has too much stored. */
  readonly storage?: { check(tenantId: string): Promise<void> };
}

/** Bounds of the service. */
export interface ExecutionServiceOptions extends TerminalOptions {
  readonly queueWaitMsMax: number;
  readonly finishedKept: number;
  readonly idempotencyTtlMs: number;
  readonly limitMaxima: AllLimits;
}

/** See the head of this file. */
export class ExecutionService implements DemandListener {
  readonly #deps: ExecutionServiceDeps;
  readonly #options: ExecutionServiceOptions;
  readonly #live: LiveExecutions;
  readonly #results: ResultKeeping;
  readonly #wait: EnvironmentWait;
  readonly #submissions: Submissions;
  /** What clients see. */
  readonly views: ExecutionViews;
  #isDraining = false;
  /** Others take up what is durable. */
  #isLeaving = false;
  #isStopped = false;

  constructor(deps: ExecutionServiceDeps, options: ExecutionServiceOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#live = new LiveExecutions(options.finishedKept);
    this.#results = new ResultKeeping(deps);
    this.views = new ExecutionViews(deps, this.#live);
    this.#wait = new EnvironmentWait({
      missing: (execution) => {
        const { id: executionId, own, check, terms } = execution;
        const wanted = { environmentId: own.id, ...(check === null ? {} : { checkEnvironmentId: check.id }) };
        deps.log.info({ executionId, tenantId: terms.tenantId, ...wanted }, 'execution wants an environment');
        this.#move(execution, 'environment-missing');
      },
      ready: (execution, isBuilt) => {
        if (isBuilt) this.#move(execution, 'environment-ready');
        this.#schedule(execution);
      },
      refused: (execution) => {
        this.#end(execution, 'environment-failed')?.catch(() => undefined);
      },
      gaveUp: (execution, cause) => this.#giveUp(execution, cause),
      isOver: (execution) => !execution.isOpen || this.#isStopped,
    });
    this.#submissions = new Submissions(deps, options, this.#live, {
      isDraining: () => this.#isDraining,
      isLeaving: () => this.#isLeaving,
      begin: (execution, opened) => this.#begin(execution, opened),
      abandon: (executions) => this.#abandonAll((one) => executions.has(one)),
    });
  }

  /** Tenants that have something without a result here. */
  tenants(): Set<string> {
    return this.#live.tenants();
  }

  /** Accepts a request; its errors are those of Submissions. */
  submit(request: ExecutionRequest, terms: SubmitTerms): Promise<Submitted> {
    return this.#submissions.submit(request, terms);
  }

  /** Accepts many requests, all or none. */
  submitAll(...batch: Parameters<Submissions['submitAll']>): Promise<readonly ExecutionId[]> {
    return this.#submissions.submitAll(...batch);
  }

  #begin(execution: LiveExecution, opened: OpenedEnvironments): void {
    this.#live.add(execution);
    this.#deps.admission.entered(this.#tenantOf(execution));
    execution.terminal?.serve(this.#options, {
      command: (command) => this.#deps.scheduler.command(execution.id, command),
      unattended: (cause) => this.#withdraw(execution, 'unattended', cause),
    });
    this.#wait.provide(execution, opened);
  }

  #tenantOf = ({ terms }: LiveExecution): Tenant => this.#deps.tenants(terms.tenantId);

  #move(execution: LiveExecution, cause: StageCause): void {
    const wasWaiting = execution.isWaiting;
    const from = execution.stage;
    execution.move(cause);
    const { admission } = this.#deps;
    if (wasWaiting && !execution.isWaiting) admission.left(this.#tenantOf(execution));
    else if (!wasWaiting && execution.isWaiting) admission.entered(this.#tenantOf(execution));
    const { tenantId } = execution.terms;
    const { id: executionId, stage: to, agent, isOver } = execution;
    // What ends it has a line of its own, with its verdict.
    if (isOver) return;
    const where = cause === 'placed' && agent !== null ? { agentId: agent.id, attempt: execution.attempts } : {};
    this.#deps.log.info({ executionId, tenantId, from, to, cause, ...where }, 'execution moved');
  }

  #schedule(execution: LiveExecution): void {
    const { environments, scheduler, pools } = this.#deps;
    const tenant = this.#tenantOf(execution);
    const claim = toClaim(tenant, execution.terms, readyOf(execution), this.#options);
    // One that an earlier release has accepted may be larger than it knew.
    const objection = pools.objectionTo(claim.site, claim.constraints.pool) ?? orderObjectionTo(execution);
    if (objection !== null) {
      this.#giveUp(execution, objection);
      return;
    }
    scheduler.submit({
      ...{ executionId: execution.id, tenantId: tenant.id, weight: tenant.weight, ...claim, listener: this },
      order: () => toLeaseOrder(execution, environments, this.#options.limitMaxima),
    });
  }

  placed(id: ExecutionId, agent: AgentFacts, considered: readonly Considered[]): void {
    const execution = this.#live.get(id);
    if (execution === undefined) return;
    execution.agent = agent;
    execution.trace?.placed(agent.id);
    execution.attempts += 1;
    execution.placements.push({ agent, placedAtMs: this.#deps.clock.nowMs(), considered });
    this.#move(execution, 'placed');
    if (execution.own.ready !== null) this.#deps.placed?.(execution.own.ready, execution.terms);
  }

  started(id: ExecutionId): void {
    const execution = this.#live.get(id);
    if (execution?.allows('started')) this.#move(execution, 'started');
  }

  fetching(id: ExecutionId, fetching: LeaseFetching): void {
    this.#live.get(id)?.fetching(fetching);
  }

  output(id: ExecutionId, { script, stream, data }: LeaseOutput): void {
    this.#live.get(id)?.log.append(stream, { script, data, encoding: 'base64' }, data.length + 64);
  }

  tested(id: ExecutionId, { index, test }: LeaseTest): void {
    const execution = this.#live.get(id);
    if (execution === undefined || index >= (execution.terms.request.tests?.length ?? 0)) return;
    execution.tested.set(index, test);
    execution.log.append('test', { index, ...test }, JSON.stringify(test).length);
  }

  told(id: ExecutionId, news: TerminalNews): void {
    this.#live.get(id)?.terminal?.heard(news);
  }

  requeued(id: ExecutionId, cause: SystemError): void {
    const execution = this.#live.get(id);
    if (execution === undefined) return;
    const lost = execution.terminal?.requeued(cause) ?? null;
    if (lost !== null) {
      this.#giveUp(execution, lost);
      return;
    }
    const { tenantId } = execution.terms;
    this.#deps.log.warn({ executionId: id, tenantId, code: cause.code, reason: cause.message }, 'execution requeued');
    this.#deps.requeued?.(cause.code);
    execution.agent = null;
    execution.tested.clear();
    this.#move(execution, 'requeued');
    if (this.#usesRevoked(execution)) this.#reopen(execution);
  }

  #usesRevoked({ own, check }: LiveExecution): boolean {
    const layers = [own, check].flatMap((environment) => environment?.ready?.layers ?? []);
    return layers.some(({ manifest }) => this.#deps.isRevoked(manifest));
  }

  /** What waits for an agent with layers that were revoked meanwhile waits for their successors instead; what runs is the agents' affair. */
  layersRevoked(): void {
    for (const execution of this.#live.all()) {
      if (execution.stage === 'queued' && this.#usesRevoked(execution)) this.#reopen(execution);
    }
  }

  #reopen(execution: LiveExecution): void {
    const { environments, scheduler, log } = this.#deps;
    const { tenantId, request } = execution.terms;
    scheduler.withdraw(execution.id);
    execution.own.ready = null;
    log.warn({ executionId: execution.id, tenantId }, 'layers revoked while queued');
    openEnvironments(environments, tenantId, request, execution.id).then(
      (opened) => {
        if (execution.isOpen && !this.#isStopped) this.#wait.provide(execution, opened);
      },
      (error: unknown) => this.#giveUp(execution, toSystemError(error)),
    );
  }

  completed(id: ExecutionId, result: DemandResult): Promise<void> | undefined {
    const execution = this.#live.get(id);
    if (execution === undefined) return undefined;
    // A first result that stands may come while another was waited for.
    if (result.rerun !== undefined) execution.agent = execution.agentOf(result.rerun);
    if (!execution.allows('completed')) this.#move(execution, 'placed');
    execution.result = result;
    if (result.failure === null) return this.#end(execution, 'completed');
    const { code, detail } = result.failure;
    execution.failure = { code, detail };
    // What the agent found wrong may be the layers: the next use reads their manifests again.
    for (const id of [execution.own.id, execution.check?.id ?? null]) {
      if (id !== null) this.#deps.environments.invalidate(execution.terms.tenantId, id);
    }
    return this.#end(execution, 'gave-up');
  }

  gaveUp(id: ExecutionId, cause: SystemError): void {
    const execution = this.#live.get(id);
    if (execution !== undefined) this.#giveUp(execution, cause);
  }

  #giveUp(execution: LiveExecution, cause: SystemError): void {
    this.#withdraw(execution, 'gave-up', cause);
  }

  /** Moves to a final stage, keeps the answer, then announces it; the promise is there when keeping takes time. */
  #end(execution: LiveExecution, cause: StageCause): Promise<void> | undefined {
    this.#move(execution, cause);
    const answer = execution.toAnswer();
    if (!execution.terms.isDurable) {
      this.#announce(execution, answer);
      return undefined;
    }
    return this.#results.keep(execution, answer).then(
      (isKept) => {
        if (isKept && !execution.isAbandoned) this.#announce(execution, answer);
      },
      (error: unknown) => {
        this.#deps.log.error({ err: error, executionId: execution.id }, 'result not recorded');
        // A defect of ours: whoever waits gets the answer; after a restart it would run again, since nobody was told that it is durable.
        this.#announce(execution, answer);
        throw error;
      },
    );
  }

  #announce(execution: LiveExecution, answer: Execution): void {
    this.#live.finished(execution);
    const { tenantId } = execution.terms;
    const { id, stage, verdict, endedIn, attempts } = answer;
    this.#deps.log.info({ executionId: id, tenantId, stage, verdict, endedIn, attempts }, 'execution ended');
    this.#deps.ended?.(answer, execution.terms);
    execution.announce(answer);
  }

  /** Ends an execution for its client, wherever it is; one that is over stays as it is. */
  async cancel(tenantId: string, id: string): Promise<Execution> {
    const execution = this.views.find(tenantId, id);
    if (execution?.isOver === false) this.#withdraw(execution, 'cancelled', null);
    return await this.views.get(tenantId, id);
  }

  #withdraw(execution: LiveExecution, how: StageCause, cause: SystemError | null): void {
    if (!execution.isOpen || this.#isStopped) return;
    execution.unwant?.();
    this.#deps.scheduler.withdraw(execution.id);
    if (cause !== null) execution.failure = { code: cause.code, detail: cause.message };
    this.#end(execution, how)?.catch(() => undefined);
  }

  /** What is remembered of executions that are over is forgotten: of those that ended by then, or of one. */
  forget(what: Parameters<LiveExecutions['forgetEnded']>[0]): void {
    this.#live.forgetEnded(what);
  }

  /** Takes up what was accepted and not finished for tenants of these shards, before a restart or by another coordinator. */
  async resume(shards: readonly number[]): Promise<void> {
    await resumeUnfinished(shards, this.#deps, this.#live, {
      isStopped: () => this.#isStopped,
      begin: (execution, opened) => {
        const tenant = this.#tenantOf(execution);
        const bytes = this.#deps.memory.hold(tenant, execution.terms.request);
        void execution.done.then(() => this.#deps.memory.giveBack(tenant, bytes));
        this.#begin(execution, opened);
      },
      fail: (execution, cause) => {
        this.#live.add(execution);
        this.#deps.admission.entered(this.#tenantOf(execution));
        this.#giveUp(execution, cause);
      },
    });
  }

  /** Another coordinator has what is durable of tenants of these shards: it is not ours to end. */
  abandon(shards: readonly number[]): void {
    const lost = new Set(shards);
    this.#abandonAll(({ terms }) => lost.has(shardOf(terms.tenantId)));
  }

  /** Others will take up what is durable: from now on none of it begins here. */
  leave(): void {
    this.#isLeaving = true;
    this.#abandonAll(({ isWaiting }) => isWaiting);
  }

  #abandonAll(isMeant: (execution: LiveExecution) => boolean): void {
    const { scheduler, admission, log } = this.#deps;
    for (const execution of this.#live.withExpected()) {
      const { tenantId, isDurable } = execution.terms;
      if (!isDurable || !isMeant(execution)) continue;
      log.warn({ executionId: execution.id, tenantId }, 'execution is with another coordinator now');
      if (this.#live.forget(execution) && execution.isWaiting) admission.left(this.#tenantOf(execution));
      scheduler.withdraw(execution.id);
      execution.abandon();
    }
  }

  /** Accepts nothing more; resolves when nothing runs or the time is over. Queued durable work waits for the next start. */
  async drain(timeMsMax: number): Promise<void> {
    this.#isDraining = !this.#isLeaving;
    await this.#live.untilEnded(({ isWaiting, terms }) => !isWaiting || !terms.isDurable, this.#deps.clock, timeMsMax);
    if (this.#isLeaving) this.#abandonAll(() => true);
  }

  /** From now on nothing that happens ends an execution: what is durable is taken up by the next start. */
  stop(): void {
    this.#isStopped = true;
    this.#results.stop();
  }
}
