/**
 * Owns running a native request for a room of another protocol, from its submission to its end: checked as any other request is, waited for, passed
 * on when another coordinator answers for the tenant, and cancelled when its client goes away. Never answers: a room says how.
 * Invariants: a room can't ask for what the native API would refuse; clients of other protocols, who expect languages to be there and do not wait for
 * long, have an environment built whether they stay or not.
 */
import { TypeCompiler } from '@sinclair/typebox/compiler';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type ErrorCode, SystemError } from '../../shared/errors.ts';
import type { EventLog } from '../../shared/http/event-log.ts';
import { checkExecution } from '../../shared/http/request-checks.ts';
import { findPlaces } from '../../shared/http/validation.ts';
import { untilDone } from '../../shared/http/waiting.ts';
import { type Execution, ExecutionRequest } from '../../shared/model/execution.ts';
import type { AllLimits } from '../../shared/model/limits.ts';
import type { EnvironmentService } from '../environments/environment-service.ts';
import type { ExecutionService } from '../executions/execution-service.ts';
import type { LiveExecution } from '../executions/live-execution.ts';
import { type RequestTracing, traceRequest } from '../http/request-trace.ts';
import { secondsToNextDay } from '../tenants/build-quota.ts';

/** What running needs. */
export interface NativeExecutionDeps extends RequestTracing {
  readonly executions: Pick<ExecutionService, 'submit' | 'cancel'>;
  readonly environments: Pick<EnvironmentService, 'declare'>;
  /** Has another coordinator answer what it goes on with, or what nobody has taken up yet. */
  readonly passOn: (request: FastifyRequest, reply: FastifyReply) => Promise<void>;
  readonly passAnew: (request: FastifyRequest, reply: FastifyReply) => Promise<boolean>;
  readonly limitMaxima: AllLimits;
  readonly waitMsMax: number;
}

/** One that is over, and what is remembered of its way. */
export interface EndedExecution {
  readonly answer: Execution;
  readonly log: EventLog;
}

const isExecutionRequest = TypeCompiler.Compile(ExecutionRequest);

/** Throws SystemError `request-invalid` or `limit-above-maximum` for what the native API would refuse. */
export function checkNative(native: ExecutionRequest, limitMaxima: AllLimits): void {
  if (!isExecutionRequest.Check(native)) {
    const errors = findPlaces(ExecutionRequest, native);
    const said = errors.map(({ pointer, detail }) => `${pointer} ${detail}`).join('; ');
    throw new SystemError('request-invalid', said, { errors });
  }
  checkExecution(native, limitMaxima);
}

/** Runs it; null: the client has its answer already, or is gone. `isStreamed`: its log is to hold its output as it came. */
export async function runNative(
  deps: NativeExecutionDeps,
  native: ExecutionRequest,
  isStreamed: boolean,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<EndedExecution | null> {
  const { executions, clock } = deps;
  checkNative(native, deps.limitMaxima);
  const tenantId = request.tenant.id;
  const trace = traceRequest(deps, request, reply);
  const submit = () => executions.submit(native, { tenantId, isWaited: true, isStreamed, key: null, trace });
  const submitted = await submit().catch(async (error: unknown) => {
    // The tenant has become another coordinator's while we looked at the request.
    if (!(error instanceof SystemError && error.code === 'shard-moved')) throw error;
    return (await deps.passAnew(request, reply)) ? null : await submit();
  });
  if (submitted === null || !('done' in submitted)) return null;
  keepBuilding(deps.environments, submitted);
  const cancel = () => {
    executions.cancel(tenantId, submitted.id).catch(() => undefined);
  };
  const waited = { done: submitted.done, waitMs: deps.waitMsMax, left: cancel };
  const answer = await untilDone(waited, reply, clock);
  if (submitted.isAbandoned) {
    await deps.passOn(request, reply);
    return null;
  }
  if (reply.raw.destroyed) {
    reply.hijack();
    return null;
  }
  if (answer === null) {
    cancel();
    const said = `it was not over after ${deps.waitMsMax / 1000} s, and was cancelled`;
    throw new SystemError('no-agent', `${said}: the environment may still be being built, ask again`);
  }
  checkFinished(answer, clock.nowMs());
  return { answer, log: submitted.log };
}

/** While one waits for its environment's build: that goes on without it, too. */
export function keepBuilding(
  environments: NativeExecutionDeps['environments'],
  { stage, terms }: Pick<LiveExecution, 'stage' | 'terms'>,
): void {
  const { environment } = terms.request;
  if (stage !== 'building' || typeof environment === 'string') return;
  // Whoever waits is told what becomes of it anyhow.
  environments.declare(terms.tenantId, environment).catch(() => undefined);
}

/** Throws what our own fault was, or why there is no result. */
export function checkFinished({ stage, failure }: Execution, nowMs: number): void {
  if (stage === 'finished') return;
  if (failure === null) throw new SystemError('conflict', 'the execution was cancelled; ask again');
  const { code, detail } = failure;
  const later = code === 'quota-exceeded' ? { retryAfterSeconds: secondsToNextDay(nowMs) } : {};
  throw new SystemError(code as ErrorCode, detail, later);
}
