/**
 * Owns the catalog of system errors: code, HTTP status, whether a retry may help, whose fault it is and the sentence.
 * Never holds verdicts (data) and never programmer errors (assert).
 * Invariant: docs/errors.md lists exactly these codes (test/house/drift.test.ts).
 */

/** Whose doing an error is. */
export type Fault = 'caller' | 'environment' | 'coordinator' | 'agent' | 'dependency';

interface ErrorEntry {
  readonly http: number;
  readonly retryable: boolean;
  readonly fault: Fault;
  readonly title: string;
}

// biome-ignore format: a catalog is read by column
const catalog = {
  'request-invalid':          { http: 400, retryable: false, fault: 'caller',      title: 'The request is not valid' },
  'limit-above-maximum':      { http: 400, retryable: false, fault: 'caller',      title: 'A limit is above what the operator allows' },
  'unauthenticated':          { http: 401, retryable: false, fault: 'caller',      title: 'A key is needed, or this one is not known' },
  'forbidden':                { http: 403, retryable: false, fault: 'caller',      title: 'This key or origin may not do that' },
  'not-found':                { http: 404, retryable: false, fault: 'caller',      title: 'There is no such thing, or it belongs to somebody else' },
  'execution-not-found':      { http: 404, retryable: false, fault: 'caller',      title: 'There is no such execution' },
  'environment-not-found':    { http: 404, retryable: false, fault: 'caller',      title: 'There is no such environment' },
  'file-not-found':           { http: 404, retryable: false, fault: 'caller',      title: 'There is no such file, or its time is over' },
  'recipe-not-found':         { http: 404, retryable: false, fault: 'caller',      title: 'There is no such recipe' },
  'environment-not-held':     { http: 503, retryable: true,  fault: 'agent',       title: 'This agent does not hold the environment, and builds nothing' },
  'agent-not-found':          { http: 404, retryable: false, fault: 'caller',      title: 'There is no such agent' },
  'method-not-allowed':       { http: 405, retryable: false, fault: 'caller',      title: 'That path takes other methods' },
  'request-timeout':          { http: 408, retryable: true,  fault: 'caller',      title: 'The request did not arrive in its time' },
  'conflict':                 { http: 409, retryable: false, fault: 'caller',      title: 'That contradicts the present state' },
  'body-too-large':           { http: 413, retryable: false, fault: 'caller',      title: 'The body is larger than allowed' },
  'media-type-unsupported':   { http: 415, retryable: false, fault: 'caller',      title: 'Bodies are application/json' },
  'range-unsatisfiable':      { http: 416, retryable: false, fault: 'caller',      title: 'The file does not have that range' },
  'idempotency-key-reused':   { http: 422, retryable: false, fault: 'caller',      title: 'This idempotency key was used with another body' },
  'headers-too-large':        { http: 431, retryable: false, fault: 'caller',      title: 'The headers are larger than allowed' },
  'queue-full':               { http: 429, retryable: true,  fault: 'coordinator', title: 'The queue is full' },
  'rate-exceeded':            { http: 429, retryable: true,  fault: 'caller',      title: 'This tenant asks too fast' },
  'quota-exceeded':           { http: 429, retryable: true,  fault: 'caller',      title: 'A quota of this tenant is used up' },
  'internal':                 { http: 500, retryable: false, fault: 'coordinator', title: 'Something went wrong on our side' },
  'no-agent':                 { http: 503, retryable: true,  fault: 'coordinator', title: 'No agent can run this now' },
  'terminal-unattended':      { http: 409, retryable: false, fault: 'caller',      title: 'Nobody was at the terminal for too long' },
  'terminal-lost':            { http: 503, retryable: true,  fault: 'coordinator', title: 'What ran in the terminal was lost, and with it what was typed' },
  'draining':                 { http: 503, retryable: true,  fault: 'coordinator', title: 'This instance is shutting down' },
  'shard-moved':              { http: 503, retryable: true,  fault: 'coordinator', title: 'Another coordinator answers for this tenant now' },
  'state-store-unavailable':  { http: 503, retryable: true,  fault: 'dependency',  title: 'The state store does not answer' },
  'object-store-unavailable': { http: 503, retryable: true,  fault: 'dependency',  title: 'The object store does not answer' },
  'builder-unavailable':      { http: 503, retryable: true,  fault: 'coordinator', title: 'The builder does not answer' },
  'build-failed':             { http: 502, retryable: true,  fault: 'coordinator', title: 'A build could not be carried out' },
  'layer-refused':            { http: 422, retryable: false, fault: 'caller',      title: 'What a build left behind can not become a layer' },
  'verifier-unavailable':     { http: 503, retryable: true,  fault: 'coordinator', title: 'The verifier does not answer' },
  'publication-refused':      { http: 422, retryable: false, fault: 'coordinator', title: 'The verifier refused a layer' },
  'layer-corrupt':            { http: 502, retryable: true,  fault: 'dependency',  title: 'A layer is not what its manifest says' },
  'file-corrupt':             { http: 502, retryable: true,  fault: 'dependency',  title: 'A file is not what was sent' },
  'layer-untrusted':          { http: 502, retryable: false, fault: 'dependency',  title: 'A manifest is not signed by a trusted key' },
  'layer-revoked':            { http: 502, retryable: true,  fault: 'dependency',  title: 'A layer was revoked; its environment is built anew when it is asked for again' },
  'trust-refused':            { http: 502, retryable: false, fault: 'coordinator', title: 'A trust state is not signed as it must be, or older than one seen before' },
  'trust-expired':            { http: 503, retryable: true,  fault: 'agent',       title: 'The trust state is too old to use layers by it' },
  'sandbox-failed':           { http: 500, retryable: true,  fault: 'agent',       title: 'The sandbox could not be made' },
  'launcher-unavailable':     { http: 503, retryable: true,  fault: 'agent',       title: 'The launcher does not answer' },
  'agent-lost':               { http: 503, retryable: true,  fault: 'agent',       title: 'The agent was lost while it ran this' },
  'agent-refused':            { http: 403, retryable: false, fault: 'agent',       title: 'The agent was not let in' },
  'receipt-refused':          { http: 502, retryable: true,  fault: 'agent',       title: 'A result came with a receipt that does not fit it' },
  'timing-unclean':           { http: 502, retryable: true,  fault: 'agent',       title: 'A time near its limit was measured while something disturbed it' },
  'protocol-mismatch':        { http: 400, retryable: false, fault: 'agent',       title: 'Agent and coordinator speak different versions' },
  'message-invalid':          { http: 400, retryable: false, fault: 'agent',       title: 'A message does not follow the protocol' },
  'execution-quarantined':    { http: 503, retryable: false, fault: 'caller',      title: 'Two agents were lost while they ran this' },
  'retries-exhausted':        { http: 503, retryable: true,  fault: 'coordinator', title: 'It failed on every agent that tried' },
  'configuration-invalid':    { http: 500, retryable: false, fault: 'coordinator', title: 'The configuration is not valid' },
  'requirement-missing':      { http: 500, retryable: false, fault: 'environment', title: 'This machine lacks something that is needed' },
} as const satisfies Record<string, ErrorEntry>;

/** Every error code, stable and documented. */
export type ErrorCode = keyof typeof catalog;

/** The catalog, for documentation and for HTTP. */
export const errorCatalog: Readonly<Record<ErrorCode, ErrorEntry>> = catalog;

/** One offending place of a request: a JSON pointer and a sentence. */
export interface ErrorPlace {
  readonly pointer: string;
  readonly detail: string;
}

/** What an error may carry beyond its code and sentence. */
export interface ErrorContext {
  readonly cause?: unknown;
  readonly errors?: readonly ErrorPlace[];
  readonly retryAfterSeconds?: number;
}

/** A failure of the system or of a request, never of the user's program; `detail` says what was attempted, the value, the remedy. */
export class SystemError extends Error {
  readonly code: ErrorCode;
  readonly errors: readonly ErrorPlace[];
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, detail: string, context: ErrorContext = {}) {
    super(detail, context.cause === undefined ? undefined : { cause: context.cause });
    this.name = 'SystemError';
    this.code = code;
    this.errors = context.errors ?? [];
    this.retryAfterSeconds = context.retryAfterSeconds;
  }

  get http(): number {
    return errorCatalog[this.code].http;
  }

  get isRetryable(): boolean {
    return errorCatalog[this.code].retryable;
  }
}

/** The given error if it is a SystemError, else an `internal` one that keeps it as its cause. */
export function toSystemError(error: unknown): SystemError {
  if (error instanceof SystemError) return error;
  return new SystemError('internal', error instanceof Error ? error.message : String(error), { cause: error });
}

const ofDisk: readonly unknown[] = ['ENOSPC', 'EDQUOT', 'EROFS', 'EIO'];

/** Is that what this machine's own disk said, and no connection? */
export function isOfDisk(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && ofDisk.includes(error.code);
}

/** The code that somebody else told, if it is one of the catalog, else `otherwise`. */
export function toErrorCode(told: unknown, otherwise: ErrorCode = 'internal'): ErrorCode {
  return typeof told === 'string' && Object.hasOwn(errorCatalog, told) ? (told as ErrorCode) : otherwise;
}
