/**
 * Owns getting requests to the server exactly once: the key that makes a repeated one the same, what is asked again, what is cancelled when nobody wants it.
 * Never follows what was accepted: that is execution-handle. Invariant: one call is one execution, however often the connection breaks.
 */
import type { FileId } from '../../shared/ids.ts';
import type { EnvironmentRequest } from '../../shared/model/environment.ts';
import type { BatchAnswer, Execution, ExecutionRequest } from '../../shared/model/execution.ts';
import { EnvicutorError } from './envicutor-error.ts';
import { isExecutionOver } from './events.ts';
import { ANSWER_MS_MAX, type Call, type Transport, toJson } from './transport.ts';

/** With ids of files as any text: who kept one, kept a text. */
type Plain<Value> = Value extends FileId
  ? string
  : Value extends object
    ? { [Name in keyof Value]: Plain<Value[Name]> }
    : Value;

/** What is run; an environment is an id or what it is made of, and without one it is the default base alone. */
export interface RunRequest extends Omit<Plain<ExecutionRequest>, 'environment'> {
  readonly environment?: string | EnvironmentRequest;
}

/** How a request is sent. */
export interface SubmitOptions {
  readonly signal?: AbortSignal | undefined;
  /** The same key and request are the same execution, also from another program; default: a new one for each call. */
  readonly idempotencyKey?: string | undefined;
}

/** One connection waits for a result so long; then it goes on with events. Below what proxies allow. */
const WAIT_SECONDS = 25;
/** What nobody wants any more is cancelled within this time, or left. */
const CANCEL_MS_MAX = 5000;

/**
 * The request was accepted and is over: it could not begin in time, or not under this day's quota. The key stands for that answer for ever, so that only
 * another one may be answered otherwise.
 */
const refusedAfterwards: readonly string[] = ['no-agent', 'quota-exceeded'];
const isRefusedAfterwards = (error: unknown) =>
  error instanceof EnvicutorError && refusedAfterwards.includes(error.code);

/** A key that nobody else has. */
export function createIdempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The request as the API takes it. */
export function toExecutionRequest({ environment = {}, ...rest }: RunRequest): ExecutionRequest {
  return { environment, ...rest } as ExecutionRequest;
}

function toCall(request: RunRequest, key: string, signal: AbortSignal | undefined): Call {
  return {
    ...{ method: 'POST', path: '/v1/executions', headers: { 'idempotency-key': key }, signal },
    body: toJson(toExecutionRequest(request)),
    isRepeated: (error) => !isRefusedAfterwards(error),
  };
}

/** Has it accepted, and not waited for. */
export async function submit(transport: Transport, request: RunRequest, options: SubmitOptions): Promise<Execution> {
  return await withNewKeys(transport, options, (key) =>
    wanted(transport, request, key, options.signal, () =>
      transport.ask<Execution>(toCall(request, key, options.signal)),
    ),
  );
}

/** Has it run; its end, or what it is when it takes longer than one connection waits. */
export async function submitAndWait(
  transport: Transport,
  request: RunRequest,
  options: SubmitOptions,
): Promise<Execution> {
  // A terminal is attached to, not waited for.
  if (request.interactive === true) return await submit(transport, request, options);
  return await withNewKeys(transport, options, (key) => {
    const call = toCall(request, key, options.signal);
    const waiting: Call = { ...call, query: { wait: WAIT_SECONDS }, silenceMsMax: WAIT_SECONDS * 1000 + ANSWER_MS_MAX };
    return wanted(transport, request, key, options.signal, () =>
      transport.ask<Execution>(waiting).catch((error: unknown) => {
        // An operator may allow less; then nobody waits.
        const isTooLong = error instanceof EnvicutorError && error.errors.some(({ pointer }) => pointer === '?wait');
        if (isTooLong) return transport.ask<Execution>(call);
        throw error;
      }),
    );
  });
}

/** With another key after what was refused for good under one. */
async function withNewKeys(
  transport: Transport,
  { signal, idempotencyKey }: SubmitOptions,
  send: (key: string) => Promise<Execution>,
): Promise<Execution> {
  const trouble = transport.trouble();
  for (;;) {
    try {
      return await send(idempotencyKey ?? createIdempotencyKey());
    } catch (error) {
      if (!isRefusedAfterwards(error) || idempotencyKey !== undefined) throw error;
      await trouble.wait(error, transport.signals(signal));
    }
  }
}

/** What is aborted meanwhile is cancelled there, whether its answer came or not. */
async function wanted(
  transport: Transport,
  request: RunRequest,
  key: string,
  signal: AbortSignal | undefined,
  send: () => Promise<Execution>,
): Promise<Execution> {
  signal?.throwIfAborted();
  try {
    return await send();
  } catch (error) {
    if (signal?.aborted === true) {
      await within(transport, async (until) => {
        // Asked with the same key, it says which one it is.
        const { id } = await transport.ask<Execution>(toCall(request, key, until));
        await cancel(transport, id, until);
      });
    }
    throw error;
  }
}

/** Does what may fail, for a short time. */
async function within(transport: Transport, action: (until: AbortSignal) => Promise<unknown>): Promise<void> {
  const controller = new AbortController();
  const timer = transport.clock.after(CANCEL_MS_MAX, () => controller.abort());
  await action(controller.signal).catch(() => undefined);
  timer.cancel();
}

/** Cancels it; how it is then. */
export function cancel(transport: Transport, id: string, signal?: AbortSignal): Promise<Execution> {
  return transport.ask<Execution>({ method: 'DELETE', path: `/v1/executions/${id}`, signal });
}

/** Cancels what nobody wants any more, if that can be done soon. */
export async function cancelSoon(transport: Transport, id: string): Promise<void> {
  await within(transport, (until) => cancel(transport, id, until));
}

/** Has many accepted by one request, all or none; their ids in the same order. */
export async function submitAll(
  transport: Transport,
  requests: readonly RunRequest[],
  { signal, idempotencyKey = createIdempotencyKey() }: SubmitOptions,
): Promise<readonly string[]> {
  const { executions } = await transport.ask<BatchAnswer>({
    ...{ method: 'POST', path: '/v1/executions/batch', headers: { 'idempotency-key': idempotencyKey }, signal },
    body: toJson({ executions: requests.map(toExecutionRequest) }),
    isRepeated: () => true,
  });
  return executions.map(({ id }) => id);
}

/** Was it refused after it had been accepted? Then it is told as it is where one waits: by an error. */
export function checkBegun(execution: Execution): Execution {
  const { failure } = execution;
  if (isExecutionOver(execution) && failure !== null && refusedAfterwards.includes(failure.code))
    throw new EnvicutorError(failure.code, failure.detail);
  return execution;
}
