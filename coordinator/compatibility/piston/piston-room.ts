/**
 * Owns Piston's protocol over HTTP: its paths, self-hosted and as the public instance has them, its answers and its errors. Never runs anything itself:
 * the native services do. Invariant: what one may do here, one may do there, and the other way round.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Recipe } from '../../../shared/recipes/recipe.ts';
import type { EnvironmentService } from '../../environments/environment-service.ts';
import type { HttpServer } from '../../http/server.ts';
import { addWithAnyContent } from '../any-content.ts';
import { type NativeExecutionDeps, runNative } from '../native-execution.ts';
import { type ExecuteRequest, PistonRefusal, readExecuteRequest } from './execute-request.ts';
import { type PistonLimitSettings, PistonLimits } from './limits.ts';
import { toNativeRequest, UnwritableName } from './native-request.ts';
import { readPieces } from './output-order.ts';
import { addPackageRoutes } from './package-routes.ts';
import { placesOf, roomConfig } from './room-form.ts';
import { type RuntimeAnswer, Runtimes } from './runtimes.ts';
import { type StageAnswer, toStage } from './stage-answer.ts';

/** What the room talks to. */
export interface PistonRoomDeps extends NativeExecutionDeps {
  readonly recipes: readonly Recipe[];
  readonly environments: EnvironmentService;
  readonly storage: { check(tenantId: string): Promise<void> };
}

/** Its settings. */
export interface PistonRoomSettings extends PistonLimitSettings {
  readonly pistonStrict: boolean;
}

/** What both doors of the room know: over HTTP and over WebSockets. */
export interface PistonTerms {
  readonly runtimes: Runtimes;
  readonly limits: PistonLimits;
}

/** Adds the room. */
export function addPistonRoom(server: HttpServer, deps: PistonRoomDeps, settings: PistonRoomSettings): PistonTerms {
  const runtimes = new Runtimes(deps.recipes, settings.pistonStrict);
  const limits = new PistonLimits(settings, deps.limitMaxima);
  addWithAnyContent(server, (room) => {
    addRuntimes(room, runtimes);
    addExecute(room, deps, { runtimes, limits });
    addPackageRoutes(room, deps, runtimes);
    addUnknown(room);
  });
  return { runtimes, limits };
}

function addRuntimes(room: HttpServer, { all }: Runtimes): void {
  const answer: readonly RuntimeAnswer[] = all.map(({ recipe: _, ...runtime }) => runtime);
  for (const url of placesOf('/runtimes')) {
    room.get(url, { config: { ...roomConfig, scope: 'any' }, schema: { hide: true } }, () => answer);
  }
}

/** Paths that nobody serves are told so in Piston's form. */
function addUnknown(room: HttpServer): void {
  room.route({
    method: ['GET', 'POST', 'PUT', 'DELETE', 'PATCH'],
    url: '/api/v2/*',
    config: { ...roomConfig, scope: 'any' },
    schema: { hide: true, rawBody: '*/*' },
    handler: (_request, reply) => reply.code(404).send({ message: 'Not Found' }),
  });
}

/** What an execution is answered by. */
export interface ExecuteAnswer {
  readonly compile?: StageAnswer;
  readonly run: StageAnswer;
  readonly language: string;
  readonly version: string;
}

function addExecute(room: HttpServer, deps: PistonRoomDeps, terms: PistonTerms): void {
  for (const url of placesOf('/execute')) {
    room.post(
      url,
      {
        config: { ...roomConfig, scope: 'execute', forwarded: 'passing' },
        schema: { hide: true, rawBody: 'application/json' },
      },
      async (request, reply) => {
        try {
          const asked = readExecuteRequest(request.body, terms.runtimes, terms.limits);
          return (await execute(deps, terms, asked, request, reply)) ?? reply;
        } catch (error) {
          if (error instanceof PistonRefusal) return reply.code(400).send({ message: error.message });
          if (error instanceof UnwritableName) return reply.code(500).send();
          throw error;
        }
      },
    );
  }
}

/** Null: it has been answered. */
async function execute(
  deps: PistonRoomDeps,
  terms: PistonTerms,
  asked: ExecuteRequest,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<ExecuteAnswer | FastifyReply | null> {
  const ended = await runNative(deps, toNativeRequest(asked, terms.limits), true, request, reply);
  if (ended === null) return null;
  const { answer, log } = ended;
  const { language, version } = asked.runtime;
  const pieces = readPieces(log);
  const compile = answer.compile === null ? null : toStage(answer.compile, pieces.compile);
  // As there: what did not compile has run as its compilation did.
  const run = answer.run === null ? compile : toStage(answer.run, pieces.run);
  if (run === null) {
    const said = `the environment of ${language}-${version} can't be built: its ${answer.endedIn} script failed (${answer.verdict})`;
    return reply.code(500).send({ message: `${said}; look at it by GET /v1/environments` });
  }
  return { ...(compile === null ? {} : { compile }), run, language, version };
}
