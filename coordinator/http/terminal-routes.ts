/**
 * Owns the route of tickets for terminals; the terminal itself is an upgrade (terminals/terminal-gateway). Never opens one.
 */
import { toTimestamp } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import { IdParams, problems } from '../../shared/http/answers.ts';
import { TerminalTicket } from '../../shared/model/terminal.ts';
import type { ExecutionViews } from '../executions/execution-views.ts';
import type { TerminalTickets } from '../terminals/tickets.ts';
import type { HttpServer } from './server.ts';

/** What the route talks to. */
export interface TerminalRoutesDeps {
  readonly views: ExecutionViews;
  readonly tickets: TerminalTickets;
}

/** Adds the route. */
export function addTerminalRoutes(server: HttpServer, { views, tickets }: TerminalRoutesDeps): void {
  server.post(
    '/v1/executions/:id/terminal-ticket',
    {
      config: { scope: 'execute' },
      schema: {
        operationId: 'issueTerminalTicket',
        errors: ['execution-not-found', 'conflict', 'queue-full'],
        summary: 'A ticket for one attachment to the terminal of an interactive execution, for a browser',
        params: IdParams,
        response: { 201: TerminalTicket, ...problems },
      },
    },
    async ({ tenant, params: { id } }, reply) => {
      const { stage } = await views.get(tenant.id, id);
      const isOver = ['finished', 'cancelled', 'failed'].includes(stage);
      if (isOver || views.find(tenant.id, id)?.terminal == null)
        throw new SystemError('conflict', `execution ${id} ${isOver ? 'is over' : 'is not interactive'}`);
      const { ticket, expiresAtMs } = tickets.issue({ tenantId: tenant.id, executionId: id });
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ ticket, expiresAt: toTimestamp(expiresAtMs) });
    },
  );
}
