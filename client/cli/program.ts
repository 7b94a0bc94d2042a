/**
 * Owns which command does what: words in, exit code out. Each command is loaded when it is asked for, which keeps the start of all others short.
 * Never ends the process.
 */

import { exitCodes } from './exit-codes.ts';
import { toHelp } from './help-text.ts';
import { type Invocation, readWords } from './invocation.ts';
import { CommandError, type Surroundings, say, writeAll } from './surroundings.ts';

type Act = (invocation: Invocation, surroundings: Surroundings) => Promise<number>;

const acts: Readonly<Record<string, () => Promise<Act>>> = {
  run: async () => (await import('./run-command.ts')).runCommand,
  'env build': async () => (await import('./environment-commands.ts')).buildCommand,
  'env list': async () => (await import('./environment-commands.ts')).listCommand,
  'env show': async () => (await import('./environment-commands.ts')).showCommand,
  'env log': async () => (await import('./environment-commands.ts')).logCommand,
  'recipe list': async () => (await import('./recipe-commands.ts')).listRecipes,
  'recipe init': async () => (await import('./recipe-commands.ts')).initRecipe,
  login: async () => (await import('./login-command.ts')).loginCommand,
  doctor: async () => (await import('./doctor-command.ts')).doctorCommand,
  stop: async () => stop,
  completion: async () => complete,
};

async function stop(_: Invocation, surroundings: Surroundings): Promise<number> {
  const { stopOwnInstance } = await import('./background-instance.ts');
  const isEnded = await stopOwnInstance(surroundings);
  say(surroundings, isEnded ? 'the instance has ended' : 'no instance is in the background');
  return exitCodes.ok;
}

async function complete({ operands }: Invocation, { stdout }: Surroundings): Promise<number> {
  const { toCompletion } = await import('./completion-scripts.ts');
  await writeAll(stdout, toCompletion(operands[0] ?? '') ?? '');
  return exitCodes.ok;
}

/** Does what the words after our own name say; a CommandError is told and is its exit code. */
export async function runProgram(words: readonly string[], surroundings: Surroundings): Promise<number> {
  const reading = readWords(words);
  switch (reading.kind) {
    case 'help':
      await writeAll(surroundings.stdout, toHelp(reading.topic));
      return exitCodes.ok;
    case 'version': {
      const { ownRelease } = await import('./release.ts');
      await writeAll(surroundings.stdout, `envicutor ${ownRelease()}\n`);
      return exitCodes.ok;
    }
    case 'problems':
      for (const problem of reading.problems) say(surroundings, problem);
      return exitCodes.usage;
    case 'invocation':
      return await act(reading.invocation, surroundings);
  }
}

async function act(invocation: Invocation, surroundings: Surroundings): Promise<number> {
  try {
    const load = acts[invocation.command.name];
    if (load === undefined) throw new Error(`${invocation.command.name} is declared and does nothing`);
    return await (await load())(invocation, surroundings);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    say(surroundings, error.message);
    return error.exitCode;
  }
}
