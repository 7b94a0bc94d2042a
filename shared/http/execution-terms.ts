/**
 * Owns how an execution is asked for and followed over HTTP beside its body: how long to wait, under which key, what its events are once they are
 * forgotten. Never runs anything.
 */
import { type Static, Type } from '@sinclair/typebox';
import { SystemError } from '../errors.ts';
import { Closed } from '../model/closed.ts';
import type { Execution } from '../model/execution.ts';
import { EventLog } from './event-log.ts';

/** What else a submission says in its query. */
export const SubmitQuery = Closed({
  wait: Type.Optional(
    Type.String({
      pattern: '^(true|[0-9]{1,6}(\\.[0-9]{1,3})?)$',
      description: "Wait so many seconds for the result, or `true`: as long as the operator's maximum.",
    }),
  ),
});

/** And in its headers. */
export const SubmitHeaders = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 255,
      description: 'Repeating the request with the same key changes nothing.',
    }),
  ),
  traceparent: Type.Optional(
    Type.String({
      description:
        'W3C Trace Context: where spans of this request belong, if the operator collects any (docs/observability.md); one that is none is as if it were not there.',
    }),
  ),
});

/** How long to wait in milliseconds, or null; SystemError `request-invalid` above the maximum. */
export function toWaitMs(wait: string | undefined, waitSecondsMax: number): number | null {
  if (wait === undefined) return null;
  const seconds = wait === 'true' ? waitSecondsMax : Number(wait);
  if (seconds <= waitSecondsMax) return seconds * 1000;
  const detail = `is ${seconds} s; at most ${waitSecondsMax} are allowed`;
  throw new SystemError('request-invalid', `?wait ${detail}`, { errors: [{ pointer: '?wait', detail }] });
}

/** The log of an execution whose events are not remembered any more: its end. */
export function toClosedLog(answer: Static<typeof Execution>): EventLog {
  const log = new EventLog(0);
  log.close('finished', answer);
  return log;
}
