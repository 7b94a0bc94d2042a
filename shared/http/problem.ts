/**
 * Owns what an error looks like over HTTP: RFC 9457 problem+json with our stable code. Never decides whose fault something is (the catalog
 * does) and never shows an internal error's message to a client.
 */
import { type Static, Type } from '@sinclair/typebox';
import { errorCatalog, SystemError } from '../errors.ts';
import { Closed } from '../model/closed.ts';

/** Content type of every error. */
export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

const Place = Closed(
  {
    pointer: Type.String({
      description: 'JSON pointer into the body, the parameters of the path or the headers; `?name` for the query.',
    }),
    detail: Type.String({ description: 'What is wrong there.' }),
  },
  { title: 'ProblemPlace', description: 'An offending place.' },
);

const example = {
  type: 'urn:envicutor:problem:request-invalid',
  title: 'The request is not valid',
  status: 400,
  detail: "/run/scirpt is not a known field; did you mean 'script'?",
  code: 'request-invalid',
  errors: [{ pointer: '/run/scirpt', detail: "is not a known field; did you mean 'script'?" }],
  requestId: 'req_a64vu1tn2ge8c000001',
};

/** An error as a client gets it. */
export const Problem = Closed(
  {
    type: Type.String({ description: '`urn:envicutor:problem:` and the code.' }),
    title: Type.String({ description: 'What the code means.' }),
    status: Type.Integer({ minimum: 400, maximum: 599, description: "The answer's status." }),
    detail: Type.String({ description: 'What was attempted, what is wrong with it, and the remedy.' }),
    code: Type.String({ description: 'Stable; one of docs/errors.md.' }),
    errors: Type.Array(Place, { description: 'Each offending place of a request that is not valid.' }),
    requestId: Type.String({ description: 'The same as in the header `x-request-id`; in our log.' }),
  },
  { title: 'Problem', description: 'RFC 9457 problem details.', examples: [example] },
);
export type Problem = Static<typeof Problem>;

/** The problem of an error; `who` has the log in which an internal one is told. */
export function toProblem(error: SystemError, requestId: string, who: string): Problem {
  const { title, http } = errorCatalog[error.code];
  return {
    type: `urn:envicutor:problem:${error.code}`,
    title,
    status: http,
    detail: error.code === 'internal' ? `look for ${requestId} in the ${who}'s log` : error.message,
    code: error.code,
    errors: [...error.errors],
    requestId,
  };
}

interface FrameworkError {
  readonly code?: unknown;
  readonly statusCode?: unknown;
  readonly message?: unknown;
}

/** Our error for whatever a route or the HTTP framework threw; `bodyBytesMax` is the allowed size of a body. */
export function toHttpError(error: unknown, bodyBytesMax: number): SystemError {
  if (error instanceof SystemError) return error;
  const { code, statusCode, message } = (error ?? {}) as FrameworkError;
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new SystemError(
      'body-too-large',
      `a body has at most ${bodyBytesMax} bytes; send less, or raise bodyBytesMax`,
    );
  }
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new SystemError('media-type-unsupported', 'send the body as application/json');
  }
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return new SystemError('request-invalid', String(message), { cause: error });
  }
  return new SystemError('internal', String(message ?? error), { cause: error });
}
