/**
 * Owns what an agent of the release before understands: the schemas of its messages, closed as they were, kept in test/vectors. Never derived from
 * today's.
 */
import { readFile } from 'node:fs/promises';
import fastify from 'fastify';

type Schemas = Readonly<Record<string, object>>;

/** Says why a message is none of that release's, or null. */
export type OlderCheck = (message: { readonly type: string }) => Promise<string | null>;

async function createCheck(schemas: Schemas): Promise<OlderCheck> {
  const customOptions = { removeAdditional: false, coerceTypes: false, useDefaults: false } as const;
  const server = fastify({ ajv: { customOptions }, bodyLimit: 2 ** 27 });
  for (const [type, body] of Object.entries(schemas)) server.post(`/${type}`, { schema: { body } }, () => 'ok');
  await server.ready();
  return async ({ type, ...fields }) => {
    const payload = JSON.stringify(fields);
    const headers = { 'content-type': 'application/json' };
    const { statusCode, body } = await server.inject({ method: 'POST', url: `/${type}`, headers, payload });
    return statusCode === 200 ? null : `${type}: ${statusCode} ${body}`;
  };
}

/** What the agents of that release say, and what they understand. */
export async function readOlderProtocol(): Promise<{ readonly agent: OlderCheck; readonly coordinator: OlderCheck }> {
  const text = await readFile(new URL('../vectors/protocol-1.json', import.meta.url), 'utf8');
  const { agent, coordinator } = JSON.parse(text) as { agent: Schemas; coordinator: Schemas };
  return { agent: await createCheck(agent), coordinator: await createCheck(coordinator) };
}
