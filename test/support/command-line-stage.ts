/**
 * Owns what commands of the command line are tried against: a coordinator with a real agent, and recipes of scripts of this machine's own base.
 * Never needs a registry. How builds end a test says.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { KeyRing } from '../../coordinator/tenants/keys.ts';
import type { BuildEvent, BuildOrder } from '../../shared/model/build.ts';
import type { Recipe } from '../../shared/recipes/recipe.ts';
import { readRecipe } from '../../shared/recipes/recipe-folder.ts';
import { setStage } from './agent-stage.ts';
import { storeLayer } from './base-builds.ts';
import { CommandLine } from './command-line.ts';
import type { BuildScript } from './fake-build-services.ts';
import { makeReport } from './lease-results.ts';
import { tarOf } from './tar-pieces.ts';

const head = { language: 'shell', version: '1', aliases: [], main: 'main.sh' };

/** Recipes as folders: `shell` as it is, `broken` whose setup fails, `slow` whose setup goes on until a test lets it. */
export const recipeFolders: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  shell: {
    'recipe.json': JSON.stringify({ ...head, title: 'Shell', extensions: ['.sh'], aliases: ['sh'] }),
    compile: 'sh -n "$MAIN"\nprintf %s "$COMPILER_OPTIONS" > options\n',
    run: 'exec sh "$MAIN" "$@"\n',
    'hello/main.sh': 'echo hello\n',
    'hello/expected.json': JSON.stringify({ verdict: 'ok', endedIn: 'run', stdout: 'hello\n' }),
  },
  broken: {
    'recipe.json': JSON.stringify({ ...head, title: 'Broken', extensions: ['.broken'] }),
    setup: 'install broken\n',
    run: 'exec sh "$MAIN"\n',
    'hello/main.sh': 'echo hello\n',
    'hello/expected.json': JSON.stringify({ verdict: 'ok', endedIn: 'run' }),
  },
  slow: {
    'recipe.json': JSON.stringify({ ...head, title: 'Slow', extensions: ['.slow'] }),
    setup: 'install slow\n',
    run: 'exec sh "$MAIN"\n',
    'hello/main.sh': 'echo hello\n',
    'hello/expected.json': JSON.stringify({ verdict: 'ok', endedIn: 'run' }),
  },
};

/** Writes a recipe's folder, and reads it. */
export function writeRecipeFolder(folder: string, name: string): Recipe {
  for (const [path, content] of Object.entries(recipeFolders[name] ?? {})) {
    mkdirSync(dirname(join(folder, name, path)), { recursive: true });
    writeFileSync(join(folder, name, path), content);
  }
  return readRecipe(join(folder, name));
}

/** The stage. `letSlowGo` ends the build of `slow`; `slowBegins` resolves when it is under way. */
export async function setCommandStage(test: { after(ending: () => unknown): unknown }, keys: KeyRing | null = null) {
  const folder = mkdtempSync(join(tmpdir(), 'envicutor-recipes-'));
  chmodSync(folder, 0o755);
  test.after(() => rmSync(folder, { recursive: true }));
  const recipes = Object.keys(recipeFolders).map((name) => writeRecipeFolder(folder, name));
  const stage = await setStage(test as never, null, {}, keys, { recipes });
  const { services, store } = stage.coordinator;
  const built = services.script;
  const above = await storeLayer(store, tarOf({ name: 'slow', body: Buffer.from('slow\n') }));
  const slowLetGo = Promise.withResolvers<void>();
  const slowBegun = Promise.withResolvers<void>();
  const end = { verify: null, materials: [], isNetworkUnreachable: false, isPrivate: false };
  async function* slowly(order: BuildOrder): AsyncGenerator<BuildEvent> {
    yield { type: 'phase', phase: 'running' };
    yield { type: 'log', stream: 'stdout', text: 'Fetching one\n' };
    slowBegun.resolve();
    await slowLetGo.promise;
    yield { type: 'phase', phase: 'capturing' };
    yield { type: 'progress', phase: 'capturing', bytes: 1000, fraction: 0.5 };
    yield* (await above(order)) as readonly BuildEvent[];
  }
  const script: BuildScript = async (order) => {
    if (order.script.includes('install slow')) return slowly(order);
    if (!order.script.includes('install broken')) return await built(order);
    const text = Array.from({ length: 40 }, (_, line) => `line ${line + 1} \u001b[2Jof the log\n`).join('');
    const report = { ...makeReport(), verdict: 'nonzero-exit', exitCode: 100, stdout: text } as const;
    return [
      { type: 'log', stream: 'stdout', text },
      { type: 'finished', endedIn: 'setup', report, layer: null, ...end },
    ];
  };
  services.script = script;
  await stage.startAgent();
  const { url } = stage.coordinator;
  const line = new CommandLine(test, { ENVICUTOR_URL: url });
  return { ...stage, line, url, recipes, folder, slowBegun: slowBegun.promise, letSlowGo: slowLetGo.resolve };
}
