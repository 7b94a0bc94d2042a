/**
 * Owns Piston's routes of packages: recipes are what can be installed, and one is installed for a tenant when its environment is ready.
 * Never builds: the environment service does. Invariant: a layer that others use is nobody's to remove here.
 */
import { SystemError } from '../../../shared/errors.ts';
import type { EventLog } from '../../../shared/http/event-log.ts';
import type { Environment } from '../../../shared/model/environment.ts';
import type { Recipe } from '../../../shared/recipes/recipe.ts';
import type { EnvironmentService } from '../../environments/environment-service.ts';
import { logOfBuild } from '../../http/environment-routes.ts';
import type { HttpServer } from '../../http/server.ts';
import { placesOf, roomConfig } from './room-form.ts';
import { type Runtimes, toVersion } from './runtimes.ts';

/** What the routes talk to. */
export interface PackageRoutesDeps {
  readonly recipes: readonly Recipe[];
  readonly environments: EnvironmentService;
  readonly storage: { check(tenantId: string): Promise<void> };
}

type Environments = Pick<EnvironmentService, 'get'>;

async function isInstalled(environments: Environments, tenantId: string, { environmentId }: Recipe): Promise<boolean> {
  try {
    return (await environments.get(tenantId, environmentId)).state === 'ready';
  } catch (error) {
    if (error instanceof SystemError && error.code === 'environment-not-found') return false;
    throw error;
  }
}

/** What a body names: the recipe, and itself as it is answered. */
function readPackage(body: unknown, runtimes: Pick<Runtimes, 'findPackage'>) {
  const { language = '', version = '' } = (body ?? {}) as Readonly<Record<string, unknown>>;
  const recipe = runtimes.findPackage(String(language), String(version));
  const name = `${language}-${version}`;
  return recipe === null
    ? { recipe, said: `Requested package ${name} does not exist` }
    : { recipe, answer: { language: recipe.name, version: toVersion(recipe) } };
}

/** Adds the routes. */
export function addPackageRoutes(room: HttpServer, deps: PackageRoutesDeps, runtimes: Runtimes): void {
  const config = { ...roomConfig, scope: 'environments', forwarded: 'recorded' } as const;
  const schema = { hide: true, rawBody: 'application/json' };
  for (const url of placesOf('/packages')) {
    room.get(url, { config, schema: { hide: true } }, async ({ tenant }) => await list(deps, tenant.id));
    room.post(url, { config, schema }, async (request, reply) => {
      const named = readPackage(request.body, runtimes);
      if (named.recipe === null) return reply.code(404).send({ message: named.said });
      const message = await install(deps, request.tenant.id, named.recipe);
      return message === null ? named.answer : reply.code(500).send({ message });
    });
    room.delete(url, { config, schema }, async (request, reply) => {
      const named = readPackage(request.body, runtimes);
      if (named.recipe === null) return reply.code(404).send({ message: named.said });
      const { language, version } = named.answer;
      if (!(await isInstalled(deps.environments, request.tenant.id, named.recipe)))
        return reply.code(500).send({ message: `${language}-${version} is not installed` });
      const said = `${language}-${version} stays: its layers may be in use by others, and go by the operator's rules`;
      return reply.code(403).send({ message: `${said} (/v1/cache)` });
    });
  }
}

async function list({ recipes, environments }: PackageRoutesDeps, tenantId: string) {
  return await Promise.all(
    recipes.map(async (recipe) => ({
      language: recipe.name,
      language_version: toVersion(recipe),
      installed: await isInstalled(environments, tenantId, recipe),
    })),
  );
}

/** Null: it is there now; else why not. */
async function install(deps: PackageRoutesDeps, tenantId: string, recipe: Recipe): Promise<string | null> {
  const { environments, storage } = deps;
  if (await isInstalled(environments, tenantId, recipe)) return 'Already installed';
  await storage.check(tenantId);
  const begun = await environments.declare(tenantId, recipe.environment);
  if (begun.state === 'ready') return null;
  const built = await endOf(await logOfBuild(environments, tenantId, begun.id));
  if (built === null) return 'the build goes on elsewhere; ask again';
  if (built.state === 'ready') return null;
  return built.failure?.detail ?? `its ${built.endedIn} script failed; GET /v1/environments/${built.id} has its output`;
}

/** What became of a build; null: it is told elsewhere. */
function endOf(log: EventLog): Promise<Environment | null> {
  const { promise, resolve } = Promise.withResolvers<Environment | null>();
  log.onCut(() => resolve(null));
  log.follow(0, ({ name, data }) => {
    if (name === 'finished') resolve(data as Environment);
  });
  if (log.isClosed) resolve(null);
  return promise;
}
