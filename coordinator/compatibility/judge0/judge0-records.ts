/**
 * Owns the routes by which Judge0's clients look at submissions: one, many by their tokens, and all of a tenant. Never changes any.
 * Invariant: a tenant's tokens are nobody else's: to others there is no such submission.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { SystemError } from '../../../shared/errors.ts';
import type { Execution } from '../../../shared/model/execution.ts';
import { fromUuid } from '../execution-uuid.ts';
import { type Room, readHeader, readParameter } from '../room.ts';
import { isAuthorized, type Judge0 } from './judge0.ts';
import { toAnswer, UnwritableText } from './judge0-answer.ts';
import { fromMetadata } from './judge0-attributes.ts';
import { isBase64Asked, readNames, whyNoBatch } from './judge0-submissions.ts';

/** So many of the newest are counted and paged through. */
export const LISTED_MAX = 1000;
const PAGE_SIZE = 20;

/** A tenant's submission; null: it has none of this token. */
async function find({ executions }: Judge0, tenantId: string, token: string): Promise<Execution | null> {
  const id = fromUuid(token);
  if (id === null) return null;
  try {
    return await executions.get(tenantId, id);
  } catch (error) {
    if (error instanceof SystemError && error.code === 'execution-not-found') return null;
    throw error;
  }
}

function refuseText(error: unknown, reply: FastifyReply): FastifyReply {
  if (error instanceof UnwritableText) return reply.code(400).send({ error: error.message });
  throw error;
}

/** Adds the routes. */
export function addRecords(room: Room, judge0: Judge0): void {
  room.add('GET', '/submissions/:token', 'execute', async (request, reply) => {
    const names = readNames(request, reply);
    if (names === null) return reply;
    const { token } = request.params as { token: string };
    const execution = await find(judge0, request.tenant.id, token);
    try {
      const terms = { names, isBase64: isBase64Asked(request) };
      const answer = execution === null ? null : toAnswer(execution, judge0.languages, terms);
      if (answer === null) throw new SystemError('execution-not-found', `there is no submission ${token.slice(0, 64)}`);
      return reply.send(answer);
    } catch (error) {
      return refuseText(error, reply);
    }
  });
  room.add('GET', '/submissions/batch', 'execute', (request, reply) => showBatch(judge0, request, reply));
  room.add('GET', '/submissions', 'execute', (request, reply) => list(judge0, request, reply));
  room.add('DELETE', '/submissions/:token', 'execute', async (request, reply) => {
    if (!(await isAuthorized(judge0, request))) return reply.code(403).send();
    return reply.code(400).send({ error: 'delete not allowed' });
  });
}

async function showBatch(judge0: Judge0, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const names = readNames(request, reply);
  if (names === null) return reply;
  const said = readParameter(request, 'tokens') ?? readHeader(request, 'tokens') ?? '';
  const tokens = said.split(',').filter((token) => token !== '');
  const why = whyNoBatch(tokens.length);
  if (why !== null) return reply.code(400).send({ error: why });
  const found = await Promise.all(tokens.map((token) => find(judge0, request.tenant.id, token.trim())));
  const terms = { names, isBase64: isBase64Asked(request) };
  try {
    const submissions = found.map((one) => (one === null ? null : toAnswer(one, judge0.languages, terms)));
    return reply.send({ submissions });
  } catch (error) {
    return refuseText(error, reply);
  }
}

async function list(judge0: Judge0, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  if (!(await isAuthorized(judge0, request))) return reply.code(403).send();
  const names = readNames(request, reply);
  if (names === null) return reply;
  const [page, size] = [readCount(request, 'page', 1), readCount(request, 'per_page', PAGE_SIZE)];
  for (const [name, value] of Object.entries({ page, per_page: size }))
    if (value < 1) return reply.code(400).send({ error: `invalid ${name}: ${value}` });
  const all = await judge0.executions.newest(request.tenant.id, LISTED_MAX);
  const ours = all.filter(({ metadata }) => fromMetadata(metadata) !== null);
  const pages = Math.max(1, Math.ceil(ours.length / size));
  const terms = { names, isBase64: isBase64Asked(request) };
  try {
    const shown = ours.slice((page - 1) * size, page * size);
    return reply.send({
      submissions: shown.map((one) => toAnswer(one, judge0.languages, terms)),
      meta: {
        ...{ current_page: page, next_page: page < pages ? page + 1 : null, prev_page: page > 1 ? page - 1 : null },
        ...{ total_pages: pages, total_count: ours.length },
      },
    });
  } catch (error) {
    return refuseText(error, reply);
  }
}

function readCount(request: FastifyRequest, name: string, fallback: number): number {
  const said = readParameter(request, name);
  return said === undefined || said === '' ? fallback : Math.trunc(Number(said)) || 0;
}
