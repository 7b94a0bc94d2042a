/**
 * Owns the routes about agents' keys: the signed list, which every tenant may read, and retiring an agent, which is an operator's.
 * Never signs and never says who is right: readers check the list against signing keys that they know (docs/receipts.md).
 */
import { IdParams, problems } from '../../shared/http/answers.ts';
import { AgentKey } from '../../shared/model/agent-keys.ts';
import { Envelope } from '../../shared/model/manifest.ts';
import type { AgentKeys } from '../agents/agent-keys.ts';
import { requireOperator } from './authentication.ts';
import type { HttpServer } from './server.ts';

/** What the routes talk to. */
export interface AgentKeyRoutesDeps {
  readonly agentKeys: Pick<AgentKeys, 'current' | 'retire'>;
  /** Other coordinators: whoever has the agent ends its connection, and all ask for the list. */
  readonly elsewhere: { tell(message: { type: 'agent.joined'; agentId: string }): void };
}

/** Adds the routes. */
export function addAgentKeyRoutes(server: HttpServer, { agentKeys, elsewhere }: AgentKeyRoutesDeps): void {
  server.get(
    '/v1/agents/keys',
    {
      config: { scope: 'any' },
      schema: {
        summary:
          "Agents' keys for receipts: a DSSE envelope of type application/vnd.envicutor.agent-keys+json, signed by the verifier's signing keys",
        response: { 200: Envelope, ...problems },
      },
    },
    () => agentKeys.current(),
  );

  server.post(
    '/v1/agents/:id/retire',
    {
      config: { scope: 'operate' },
      schema: {
        summary: 'Let an agent in no more, for ever; the list of keys keeps it, marked, for the receipts that it gave',
        params: IdParams,
        response: { 200: AgentKey, ...problems },
      },
    },
    async (request) => {
      requireOperator(request.tenant);
      const { id } = request.params;
      const retired = await agentKeys.retire(id);
      elsewhere.tell({ type: 'agent.joined', agentId: id });
      return retired;
    },
  );
}
