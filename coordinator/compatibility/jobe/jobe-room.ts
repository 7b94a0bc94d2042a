/**
 * Owns the room that speaks Jobe's protocol, which Moodle's CodeRunner asks by: languages, files, runs. What runs is native. Never keeps a result.
 * Invariant: whatever is wrong is told as the protocol does, by a text; what can't be served now is an overload.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { SystemError } from '../../../shared/errors.ts';
import type { Logger } from '../../../shared/logger.ts';
import type { AllLimits } from '../../../shared/model/limits.ts';
import type { Recipe } from '../../../shared/recipes/recipe.ts';
import type { HttpServer } from '../../http/server.ts';
import { isForLater, openRoom, type Room, readHeader, readMembers } from '../room.ts';
import type { RoomExecutions } from '../room-executions.ts';
import { JobeFiles } from './jobe-files.ts';
import { type JobeLanguage, toJobeLanguages } from './jobe-languages.ts';
import { JobeRefusal, toRequest } from './jobe-request.ts';
import { outcomes, toJobeResult, toResult } from './jobe-result.ts';

/** What the room talks to. */
export interface JobeDeps {
  readonly log: Logger;
  readonly executions: RoomExecutions;
  readonly recipes: readonly Recipe[];
}

/** Bounds of the room. */
export interface JobeOptions {
  readonly limitMaxima: AllLimits;
  readonly bodyBytesMax: number;
}

const ROOT = '/jobe/index.php/restapi';
const KEY = 'x-api-key';
const LATE_SECONDS = 5;

function say(reply: FastifyReply, status: number, text: string): FastifyReply {
  return reply.code(status).type('application/json; charset=utf-8').send(JSON.stringify(text));
}

function refuse(error: SystemError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const hasKey = readHeader(request, KEY) !== undefined;
  if (error.http === 401) return reply.code(403).send(hasKey ? 'Unknown API key' : 'Missing API key');
  const text = error.code === 'internal' ? 'Server exception' : error.message;
  return say(reply, error.http, text);
}

/** Adds the room to the server. */
export function addJobeRoom(server: HttpServer, deps: JobeDeps, options: JobeOptions): void {
  const languages = toJobeLanguages(deps.recipes);
  const files = new JobeFiles();
  const keyOf = (request: FastifyRequest) => readHeader(request, KEY);
  openRoom(server, { log: deps.log, bodyBytesMax: options.bodyBytesMax, keyOf, refuse }, (room) => {
    room.add('GET', `${ROOT}/languages`, 'any', () =>
      [...languages.values()].map(({ id, recipe }) => [id, recipe.version]),
    );
    addFiles(room, files);
    addRuns(room, deps, { languages, files, options });
  });
}

function addFiles(room: Room, files: JobeFiles): void {
  room.add('PUT', `${ROOT}/files/:id`, 'execute', (request, reply) => {
    const { id } = request.params as { id: string };
    const content = readMembers(request)?.['file_contents'];
    if (typeof content !== 'string') return say(reply, 400, 'put: missing file_contents parameter');
    const text = content.replace(/\s+/g, '');
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text))
      return say(reply, 400, `put: contents of file ${id} are not valid base-64`);
    const isKept = files.put(request.tenant.id, id, Buffer.from(text, 'base64'));
    return isKept ? reply.code(204).send() : say(reply, 500, `put: failed to write file ${id} to cache`);
  });
  room.add('HEAD', `${ROOT}/files/:id`, 'execute', (request, reply) => {
    const { id } = request.params as { id: string };
    return reply.code(files.has(request.tenant.id, id) ? 204 : 404).send();
  });
}

interface Runs {
  readonly languages: ReadonlyMap<string, JobeLanguage>;
  readonly files: JobeFiles;
  readonly options: JobeOptions;
}

function addRuns(room: Room, { executions }: JobeDeps, { languages, files, options }: Runs): void {
  room.add('POST', `${ROOT}/runs`, 'execute', async (request, reply) => {
    const tenantId = request.tenant.id;
    try {
      const terms = { languages, maxima: options.limitMaxima, find: (id: string) => files.get(tenantId, id) };
      const native = toRequest(readMembers(request), terms);
      return reply.send(toJobeResult(await executions.run(tenantId, native, reply)));
    } catch (error) {
      if (error instanceof JobeRefusal) return say(reply, error.http, error.message);
      // Its clients wait and ask again.
      if (isForLater(error))
        return reply
          .header('retry-after', String(error.retryAfterSeconds ?? LATE_SECONDS))
          .send(toResult(outcomes.overload, { stderr: error.message }));
      throw error;
    }
  });
}
