/**
 * Owns `envicutor env …`: building, listing, showing environments and their logs. Never builds: the coordinator does.
 */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Environment } from '../../shared/model/environment.ts';
import { BuildBoard, toPlainText } from './build-board.ts';
import { describeBuildFailure, describeReport, tellBuildFailure } from './closing-line.ts';
import { toColumns } from './columns.ts';
import { exitCodes } from './exit-codes.ts';
import type { Invocation } from './invocation.ts';
import { findNamedRecipe, isEnvironmentId } from './recipe-choice.ts';
import { type Session, withSession } from './session.ts';
import { paintFor, type Surroundings, say, writeAll } from './surroundings.ts';

const scripts = ['setup', 'dependencies', 'verify'] as const;
const bytesOf = ({ layers }: Environment) => layers.reduce((sum, { bytes }) => sum + bytes, 0);
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

/** `env build`. */
export function buildCommand({ operands, flags }: Invocation, surroundings: Surroundings): Promise<number> {
  return withSession(surroundings, flags, async ({ quick, patient }) => {
    const { signal, folder, stdout, clock } = surroundings;
    const [word = ''] = operands;
    const isFolder = statSync(resolve(folder, word), { throwIfNoEntry: false })?.isDirectory() === true;
    const recipe = await findNamedRecipe(quick, folder, isFolder && !word.includes('/') ? `./${word}` : word, signal);
    const board = new BuildBoard(surroundings, { isVerbose: flags.has('verbose'), isQuiet: flags.has('quiet') });
    const fromMs = clock.monotonicMs();
    const description = flags.has('fresh') ? { ...recipe.environment, fresh: true } : recipe.environment;
    const built = await patient.environments.build(description, { signal, onEvent: (event) => board.hear(event) });
    board.rest(built.state === 'ready');
    if (flags.has('json')) await writeAll(stdout, json(built));
    if (built.state !== 'ready') {
      tellBuildFailure(surroundings, describeBuildFailure(built, board.tail, built.id));
      return exitCodes.buildFailed;
    }
    const took = `${((clock.monotonicMs() - fromMs) / 1000).toFixed(1)} s`;
    if (!flags.has('json')) await writeAll(stdout, `${built.id}\n`);
    if (!flags.has('quiet'))
      say(surroundings, `ready in ${took}: ${built.layers.length} layers, ${megabytes(bytesOf(built))}`);
    return exitCodes.ok;
  });
}

/** `env list`. */
export function listCommand({ flags }: Invocation, surroundings: Surroundings): Promise<number> {
  return withSession(surroundings, flags, async ({ quick }) => {
    const { signal, stdout, variables } = surroundings;
    const all: Environment[] = [];
    for await (const environment of quick.environments.list({ signal, pageSize: 100 })) all.push(environment);
    if (flags.has('json')) await writeAll(stdout, json(all));
    else {
      const rows = all.map((each) => [
        each.id,
        each.state,
        each.scope,
        each.base,
        megabytes(bytesOf(each)),
        each.createdAt,
      ]);
      await writeAll(
        stdout,
        toColumns(['ID', 'STATE', 'SCOPE', 'BASE', 'SIZE', 'CREATED'], rows, paintFor(stdout, variables)),
      );
    }
    return exitCodes.ok;
  });
}

/** The environment that a word means: its id, or that of a recipe. */
async function findEnvironment(
  { quick }: Session,
  { folder, signal }: Surroundings,
  word: string,
): Promise<Environment> {
  const id = isEnvironmentId(word) ? word : (await findNamedRecipe(quick, folder, word, signal)).environmentId;
  return await quick.environments.get(id, { signal });
}

/** `env show`. */
export function showCommand({ operands, flags }: Invocation, surroundings: Surroundings): Promise<number> {
  return withSession(surroundings, flags, async (session) => {
    const { stdout } = surroundings;
    const found = await findEnvironment(session, surroundings, operands[0] ?? '');
    await writeAll(stdout, flags.has('json') ? json(found) : toText(found));
    return exitCodes.ok;
  });
}

function toText(found: Environment): string {
  const facts = [
    ...[`id       ${found.id}`, `state    ${found.state}`, `scope    ${found.scope}`, `base     ${found.base}`],
    ...[`created  ${found.createdAt}`, `finished ${found.finishedAt ?? '-'}`],
    ...found.layers.map(
      ({ kind, digest, bytes, tarBytes }) =>
        `layer    ${kind}: ${megabytes(bytes)} (${megabytes(tarBytes)} unpacked), ${digest}`,
    ),
    ...scripts.flatMap((script) => {
      const report = found[script];
      return report === null ? [] : [`script   ${script}: ${describeReport(report)}`];
    }),
    ...(found.failure === null ? [] : [`failure  ${found.failure.code}: ${found.failure.detail}`]),
  ];
  return `${facts.join('\n')}\n`;
}

/** `env log`. */
export function logCommand({ operands, flags }: Invocation, surroundings: Surroundings): Promise<number> {
  return withSession(surroundings, flags, async (session) => {
    const { signal, stdout } = surroundings;
    const found = await findEnvironment(session, surroundings, operands[0] ?? '');
    const plain = (text: string) => text.split('\n').map(toPlainText).join('\n');
    let isTold = false;
    for await (const event of session.patient.environments.events(found.id, { signal })) {
      if (event.type === 'forgotten')
        await writeAll(stdout, `(${event.data.events} events before this are not remembered)\n`);
      if (event.type === 'build.log') {
        isTold = true;
        await writeAll(stdout, plain(event.data.text));
      }
      if (event.type === 'finished' && !isTold) await writeAll(stdout, plain(writtenOf(event.data)));
    }
    return exitCodes.ok;
  });
}

/** What is kept of a build that is over: what its scripts wrote. */
function writtenOf(environment: Environment): string {
  return scripts
    .flatMap((script) => {
      const report = environment[script];
      if (report === null) return [];
      const cut = report.stdoutTruncated || report.stderrTruncated ? '\n(it wrote more than is kept)' : '';
      return [`# ${script}: ${describeReport(report)}`, report.stdout, report.stderr + cut];
    })
    .filter((part) => part !== '')
    .map((part) => (part.endsWith('\n') ? part : `${part}\n`))
    .join('');
}
