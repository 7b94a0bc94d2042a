/**
 * Owns two servers of one route each, which answer a submission without running anything: ours, with everything that stands before a service (carriage,
 * key, JSON, schema, rules, the answer's own check), and a bare Fastify route that parses the same body and knows no schema.
 * Run by itself it is one of them: it prints its port.
 */
import type { AddressInfo } from 'node:net';
import fastify from 'fastify';
import { createAuthentication } from '../../coordinator/http/authentication.ts';
import { addExecutionRoutes } from '../../coordinator/http/execution-routes.ts';
import { createServer } from '../../coordinator/http/server.ts';
import { systemClock, systemRandom } from '../../shared/clock.ts';
import { serverDefaults } from '../../shared/http/server.ts';
import type { Logger } from '../../shared/logger.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { limitMaxima } from '../../shared/model/limits.ts';
import { noTracer } from '../../shared/tracing/tracer.ts';
import { ServedProcess } from './served-process.ts';

/** Which of the two. */
export type RouteKind = 'ours' | 'bare';

const at = '2026-01-01T00:00:00.000Z';
const answer: Execution = {
  ...{ id: 'exec_00000000', stage: 'queued', verdict: null, endedIn: null, environment: null },
  ...{ setup: null, dependencies: null, verify: null, compile: null, run: null, tests: [], check: null, score: null },
  timing: { queuedMs: 0, buildMs: 0, fetchMs: 0, prepareMs: 0, executeMs: 0, collectMs: 0, overheadMs: 0 },
  ...{ certificate: null, receipt: null, files: [], agent: null, attempts: 0, failure: null, metadata: {} },
  ...{ createdAt: at, finishedAt: null },
};

function createOurs() {
  const log = { debug: () => 0, info: () => 0, warn: () => 0, error: console.error } as never as Logger;
  const authenticate = createAuthentication(null);
  const options = { ...serverDefaults, liveRequestBytesMax: serverDefaults.bodyBytesMax };
  const server = createServer({ log, random: systemRandom, authenticate, isEmbedded: true }, options);
  // Only what the route of submissions asks.
  const executions = { submit: async () => ({ answer }) } as never;
  const unused = { deletion: null, webhooks: null } as never as { deletion: never; webhooks: never };
  const deps = {
    ...unused,
    clock: systemClock,
    tracer: noTracer,
    executions,
    passOn: async () => undefined,
    passAnew: async () => false,
  };
  addExecutionRoutes(server, deps, { waitSecondsMax: 300, limitMaxima });
  return server;
}

function createBare() {
  const server = fastify();
  server.post('/v1/executions', async (_request, reply) => reply.code(202).send(answer));
  return server;
}

async function serve(kind: string | undefined): Promise<void> {
  const server = kind === 'ours' ? createOurs() : createBare();
  await server.listen({ host: '127.0.0.1', port: 0 });
  process.stdout.write(`${(server.server.address() as AddressInfo).port}\n`);
}

/** A server as a scenario has it. */
export function startRouteServer(kind: RouteKind): Promise<ServedProcess> {
  return ServedProcess.start(import.meta.filename, 'http', kind);
}

if (import.meta.main) await serve(process.argv[2]);
