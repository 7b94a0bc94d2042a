/**
 * Owns the span of one HTTP request that asks for executions: from its handler to the end of its answer. Never decides anything.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../../shared/clock.ts';
import type { Tracer } from '../../shared/tracing/tracer.ts';
import { RequestTrace } from '../executions/execution-trace.ts';

/** What it works with. */
export interface RequestTracing {
  readonly tracer: Tracer;
  readonly clock: Clock;
}

/** Begins it, in the trace that the request names; null: nobody looks. */
export function traceRequest(
  { tracer, clock }: RequestTracing,
  request: FastifyRequest,
  reply: FastifyReply,
): RequestTrace | null {
  const { traceparent } = request.headers;
  const trace = RequestTrace.begin(tracer, clock, typeof traceparent === 'string' ? traceparent : undefined);
  if (trace === null) return null;
  const name = `${request.method} ${request.routeOptions.url ?? ''}`;
  reply.raw.once('close', () => trace.answered(name, reply.raw.statusCode));
  return trace;
}
