/**
 * Owns writing down what operators do: every request that may change something on a route of scope `operate`, before it is carried out and with its
 * outcome before it is answered. Never stops what was begun, and never keeps a secret: bodies of these routes hold none, or their route says so.
 * Invariant: what can't be written down is not done.
 */
import type { FastifyRequest } from 'fastify';
import type { Clock } from '../../shared/clock.ts';
import { toSystemError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import type { AuditStore } from '../executions/tenant-store.ts';
import type { HttpServer } from './server.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Its entry; null: it has none. */
    auditSequence: number | null;
  }
}

/** What auditing needs. */
export interface AuditingDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly audit: AuditStore;
}

const DETAIL_CHARACTERS_MAX = 1000;
const reads = new Set(['GET', 'HEAD']);

/** Is this one that is written down? */
function isAction({ method, routeOptions: { config } }: FastifyRequest): boolean {
  return config.scope === 'operate' && !reads.has(method);
}

function toDetail({ body, routeOptions: { config } }: FastifyRequest): string {
  if (body === undefined || body === null || config.isBodySecret === true) return '';
  const text = JSON.stringify(body);
  return text.length <= DETAIL_CHARACTERS_MAX ? text : `${text.slice(0, DETAIL_CHARACTERS_MAX)}…`;
}

/** Audits what this server's routes do; before they are added. */
export function auditActions(server: HttpServer, { clock, log, audit }: AuditingDeps): void {
  server.decorateRequest('auditSequence', null);
  // After the request was found valid: what is refused before that changes nothing.
  server.addHook('preHandler', async (request) => {
    if (!isAction(request)) return;
    const { tenant, key, params, method, routeOptions } = request;
    request.auditSequence = await audit.begin({
      ...{ atMs: clock.nowMs(), tenantId: tenant.id, keyId: key.id, keyName: key.name },
      ...{ address: request.ip, requestId: request.id, action: `${method} ${routeOptions.url ?? ''}` },
      target: Object.values((params ?? {}) as Record<string, string>).join(' '),
      detail: toDetail(request),
    });
  });
  server.addHook('onSend', async ({ auditSequence, id }, reply, payload) => {
    if (auditSequence !== null) {
      await audit.end(auditSequence, reply.statusCode).catch((error: unknown) => {
        log.error({ requestId: id, reason: toSystemError(error).message }, 'outcome not written down');
      });
    }
    return payload;
  });
}
