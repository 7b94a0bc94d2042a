/**
 * Owns writing an answer as text, after holding it against the schema that its route promises. Never coerces, and never lets out what the schema does
 * not know: a member of ours that got into an answer by mistake stays here. Invariant: an answer that breaks its promise is heard of, and is a fault of
 * the program's: tests fail on it. The framework's own serialiser would coerce and drop in silence.
 */
import type { TSchema } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { Value } from '@sinclair/typebox/value';
import { type LongAnswer, toAnswerText } from './long-answers.ts';
import { findPlaces } from './validation.ts';

/** What the log says of it. */
export const PROMISE_BROKEN = 'answer does not follow its schema';

/** An answer that does not follow its schema: where, never what. */
export interface BrokenPromise {
  readonly method: string;
  readonly route: string;
  readonly status: string;
  readonly pointers: readonly string[];
}

/** What Fastify tells about a schema of answers. */
export interface AnswerRoute {
  readonly schema: unknown;
  readonly method: string;
  readonly url: string;
  readonly httpStatus?: string | undefined;
}

/** A writer of answers, for Fastify. */
export function compileAnswerText(
  { schema, method, url, httpStatus = '' }: AnswerRoute,
  broken: (promise: BrokenPromise) => void,
): (answer: unknown) => string | LongAnswer {
  const promised = schema as TSchema;
  const check = TypeCompiler.Compile(promised);
  return (answer) => {
    if (check.Check(answer)) return toAnswerText(answer);
    const pointers = findPlaces(promised, answer).map(({ pointer }) => pointer);
    broken({ method, route: url, status: httpStatus, pointers });
    return toAnswerText(Value.Clean(promised, structuredClone(answer)));
  };
}
