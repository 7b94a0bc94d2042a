/**
 * Owns running what a room has translated: the native checks, accepting one or many, waiting for the end. Never knows a protocol.
 * Invariant: nothing is started before the native rules have been held against it; limits above the operator's are refused, never lowered.
 */
import type { FastifyReply } from 'fastify';
import type { Clock } from '../../shared/clock.ts';
import { type ErrorCode, SystemError } from '../../shared/errors.ts';
import { checkExecution } from '../../shared/http/request-checks.ts';
import { compileValidator } from '../../shared/http/validation.ts';
import { untilDone } from '../../shared/http/waiting.ts';
import type { ExecutionId } from '../../shared/ids.ts';
import { type Execution, ExecutionRequest } from '../../shared/model/execution.ts';
import type { AllLimits } from '../../shared/model/limits.ts';
import { memoryBytesOf } from '../../shared/text-length.ts';
import type { ExecutionService } from '../executions/execution-service.ts';

const PAGE = 100;
const LISTED_BYTES_MAX = 64 * 1024 * 1024;

/** What it needs. */
export interface RoomExecutionsDeps {
  readonly clock: Clock;
  readonly executions: ExecutionService;
  readonly limitMaxima: AllLimits;
  readonly waitSecondsMax: number;
}

const validate = compileValidator({ schema: ExecutionRequest });

/** What means "not now" is an error of this request, as natively; everything else is the execution's own story. */
function checkAnswered({ failure }: Execution): void {
  if (failure === null || !notNow.has(failure.code)) return;
  throw new SystemError(failure.code as ErrorCode, failure.detail);
}

const notNow: ReadonlySet<string> = new Set<ErrorCode>(['no-agent', 'quota-exceeded']);

/** See the head of this file. */
export class RoomExecutions {
  readonly #deps: RoomExecutionsDeps;

  constructor(deps: RoomExecutionsDeps) {
    this.#deps = deps;
  }

  /** SystemError `request-invalid` or `limit-above-maximum`. What rooms remember of a request by `metadata` is theirs, and not measured here. */
  check({ metadata: _, ...request }: ExecutionRequest): void {
    // Scripts, words and variables are made of what clients send.
    const checked = validate(request);
    if ('error' in checked) throw checked.error;
    checkExecution(request, this.#deps.limitMaxima);
  }

  /** Accepts all of these or none; each goes on by itself. */
  acceptAll(tenantId: string, requests: readonly ExecutionRequest[]): Promise<readonly ExecutionId[]> {
    for (const request of requests) this.check(request);
    return this.#deps.executions.submitAll(requests, { tenantId, key: null });
  }

  /** Runs one and waits for its end as long as anybody may; a client that goes away ends it, unless somebody else is to be told. */
  async run(tenantId: string, request: ExecutionRequest, reply: FastifyReply): Promise<Execution> {
    this.check(request);
    const { executions, clock, waitSecondsMax } = this.#deps;
    const submitted = await executions.submit(request, { tenantId, isWaited: true, key: null });
    if (!('done' in submitted)) return submitted.answer;
    const left = () => {
      if (request.webhook === undefined) executions.cancel(tenantId, submitted.id).catch(() => undefined);
    };
    const ended = await untilDone({ done: submitted.done, waitMs: waitSecondsMax * 1000, left }, reply, clock);
    if (ended !== null) checkAnswered(ended);
    return ended ?? submitted.toAnswer();
  }

  /** SystemError `execution-not-found`. */
  get(tenantId: string, id: ExecutionId): Promise<Execution> {
    return this.#deps.executions.views.get(tenantId, id);
  }

  /** The newest that are kept for a tenant, at most so many; fewer when they weigh more than this process should hold. */
  async newest(tenantId: string, countMax: number): Promise<Execution[]> {
    const found: Execution[] = [];
    let cursor: number | null = null;
    let bytes = 0;
    do {
      const page: Awaited<ReturnType<ExecutionService['views']['list']>> = await this.#deps.executions.views.list(
        tenantId,
        cursor,
        Math.min(PAGE, countMax - found.length),
      );
      found.push(...page.items);
      bytes += memoryBytesOf(page.items);
      cursor = page.next;
    } while (cursor !== null && found.length < countMax && bytes < LISTED_BYTES_MAX);
    return found;
  }
}
