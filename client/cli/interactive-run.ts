/**
 * Owns `run --interactive`: this terminal lent to a program. Its environment is built before, where that can be shown.
 * Never keeps the terminal: it is given back on every way out.
 */
import { BuildBoard } from './build-board.ts';
import { describeBuildFailure, describeEnd, tellBuildFailure } from './closing-line.ts';
import { exitCodes, toExitCode } from './exit-codes.ts';
import type { Invocation } from './invocation.ts';
import type { PreparedRun } from './run-request.ts';
import type { Session } from './session.ts';
import { CommandError, type Surroundings, say, writeAll } from './surroundings.ts';

/** Runs it to its end. */
export async function runInteractively(
  { request, environmentId }: PreparedRun,
  { flags }: Invocation,
  surroundings: Surroundings,
  { patient }: Session,
): Promise<number> {
  const { stdin, stdout, signal } = surroundings;
  if (!stdin.isTTY)
    throw new CommandError(
      exitCodes.usage,
      '--interactive needs a terminal; without it standard input is sent as it is',
    );
  if (typeof request.environment !== 'string') {
    const board = new BuildBoard(surroundings, { isVerbose: flags.has('verbose'), isQuiet: flags.has('quiet') });
    const built = await patient.environments.build(request.environment, {
      signal,
      onEvent: (event) => board.hear(event),
    });
    board.rest(built.state === 'ready');
    if (built.state !== 'ready') {
      tellBuildFailure(surroundings, describeBuildFailure(built, board.tail, environmentId));
      return exitCodes.buildFailed;
    }
  }
  const handle = await patient.submit(request, { signal });
  const terminal = await handle.terminal({ signal });
  const resize = () => terminal.resize(stdout.rows || 24, stdout.columns || 80);
  const type = (bytes: Buffer<ArrayBuffer>) => terminal.write(bytes);
  resize();
  stdout.on('resize', resize);
  stdin.setRawMode(true);
  stdin.on('data', type);
  try {
    for await (const bytes of terminal) await writeAll(stdout, bytes);
    await terminal.exit;
  } catch (error) {
    if (signal.aborted) await handle.cancel({ signal: AbortSignal.timeout(5000) }).catch(() => undefined);
    throw error;
  } finally {
    stdin.off('data', type);
    stdin.setRawMode(false);
    stdin.pause();
    stdout.off('resize', resize);
  }
  const execution = await handle.result({ signal });
  if (!flags.has('quiet')) for (const line of describeEnd(execution)) say(surroundings, line);
  return toExitCode(execution);
}
