/**
 * Owns the one class of errors that the client throws: what the server said, or why nothing of it was heard. Never a verdict: a program that fails is an answer.
 * Invariant: whatever has a code of the API's catalog is retried or not as the catalog says.
 */
import { type ErrorCode, type ErrorPlace, errorCatalog } from '../../shared/errors.ts';

/** What goes wrong on this side of the wire, with its sentence. */
export const clientErrors = {
  'connection-failed': 'the server could not be reached, or the connection broke',
  'no-answer': 'nothing came in the time that an answer may take',
  'answer-unexpected': 'somebody between here and the API answered, or it is no such API',
  'answer-malformed': 'what came is not what the API answers',
  'answer-too-large': 'what came is larger than this client takes',
  'stream-consumed': 'a stream that was sent in part can not be sent again',
  'terminal-unfit': 'this platform has no WebSocket; give the client one',
  'terminal-refused': 'the server has closed the terminal for good',
  'terminal-closed': 'the attachment to a terminal was closed here',
  'terminal-input-full': 'more was typed than is kept for a terminal that is not attached',
} as const;

/** Every code: the API's own, the client's, and what a later server may say. */
export type EnvicutorErrorCode = ErrorCode | keyof typeof clientErrors | (string & {});

/** What an error is made of. */
export interface EnvicutorErrorFields {
  readonly status?: number | null;
  readonly errors?: readonly ErrorPlace[];
  readonly requestId?: string | null;
  readonly retryAfterSeconds?: number | null;
  readonly cause?: unknown;
}

const retryableStatuses: readonly number[] = [408, 429, 502, 503, 504];
const retryableHere: readonly string[] = ['connection-failed', 'no-answer'];

/** Why something could not be done. */
export class EnvicutorError extends Error {
  readonly code: EnvicutorErrorCode;
  /** HTTP status; null when there was no answer. */
  readonly status: number | null;
  readonly detail: string;
  /** Offending places of the request: a JSON pointer and a sentence each. */
  readonly errors: readonly ErrorPlace[];
  /** What an operator finds it by in the logs. */
  readonly requestId: string | null;
  /** How long the server wants to be left alone. */
  readonly retryAfterSeconds: number | null;

  constructor(code: EnvicutorErrorCode, detail: string, fields: EnvicutorErrorFields = {}) {
    super(`${code}: ${detail}`, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.name = 'EnvicutorError';
    this.code = code;
    this.status = fields.status ?? null;
    this.detail = detail;
    this.errors = fields.errors ?? [];
    this.requestId = fields.requestId ?? null;
    this.retryAfterSeconds = fields.retryAfterSeconds ?? null;
  }

  /** May the same request be answered otherwise later? */
  get isRetryable(): boolean {
    if (Object.hasOwn(errorCatalog, this.code)) return errorCatalog[this.code as ErrorCode].retryable;
    if (this.status !== null) return retryableStatuses.includes(this.status);
    return retryableHere.includes(this.code);
  }
}

/** Is this an error of this client, with this code if one is given? */
export function isEnvicutorError(error: unknown, code?: EnvicutorErrorCode): error is EnvicutorError {
  return error instanceof EnvicutorError && (code === undefined || error.code === code);
}

/** Did nothing answer: no connection, a broken one, or silence? */
export function isNetworkError(error: unknown): error is EnvicutorError {
  return error instanceof EnvicutorError && error.status === null && retryableHere.includes(error.code);
}

/** The error of an answer that is none of success; its body was read. */
export function toAnswerError(status: number, headers: Headers, text: string, nowMs: number): EnvicutorError {
  const fields = { status, retryAfterSeconds: toRetryAfter(headers.get('retry-after'), nowMs) };
  const problem = parseProblem(text);
  const requestId = headers.get('x-request-id');
  if (problem === null) {
    const detail = `answered ${status} without a problem of this API: ${text.slice(0, 200)}`;
    return new EnvicutorError('answer-unexpected', detail, { ...fields, requestId });
  }
  const { code, detail, errors, requestId: named } = problem;
  const places = Array.isArray(errors) ? (errors as readonly ErrorPlace[]) : [];
  const told = typeof detail === 'string' ? detail : code;
  return new EnvicutorError(code, told, {
    ...fields,
    errors: places,
    requestId: typeof named === 'string' ? named : requestId,
  });
}

interface Problem {
  readonly code: string;
  readonly detail?: unknown;
  readonly errors?: unknown;
  readonly requestId?: unknown;
}

function parseProblem(text: string): Problem | null {
  try {
    const value = JSON.parse(text) as Partial<Problem> | null;
    return typeof value?.code === 'string' ? (value as Problem) : null;
  } catch {
    return null;
  }
}

/** Seconds, or a date from now. */
function toRetryAfter(text: string | null, nowMs: number): number | null {
  if (text === null) return null;
  if (/^\d{1,9}$/.test(text.trim())) return Number(text);
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? null : Math.max(0, (atMs - nowMs) / 1000);
}
