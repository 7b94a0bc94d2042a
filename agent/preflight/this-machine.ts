/**
 * Owns the command `preflight` on the machine itself: its files, its clock, the launcher's socket, the coordinator's address. Never decides anything.
 */
import { systemClock } from '../../shared/clock.ts';
import type { Loaded } from '../../shared/config.ts';
import { toSystemError } from '../../shared/errors.ts';
import { readAuthority } from '../../shared/http/authority.ts';
import { connectLauncher } from '../../shared/sandbox/launcher-client.ts';
import type { AgentConfig } from '../config.ts';
import { runPreflight } from './command.ts';
import { askCoordinator } from './coordinator-answer.ts';
import { machineAt } from './machine.ts';

/** Where it is said. */
interface Streams {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

/** Runs the command under these settings and resolves with its exit code. */
export async function preflightHere(
  args: readonly string[],
  loaded: Loaded<typeof AgentConfig> | { readonly problems: readonly string[] },
  { stdout, stderr }: Streams,
): Promise<number> {
  const settings = 'problems' in loaded ? loaded : loaded.values;
  const flaws: string[] = [];
  let ca: string | undefined;
  try {
    ca = 'problems' in settings ? undefined : readAuthority(settings.coordinatorCaFile);
  } catch (error) {
    flaws.push(toSystemError(error).message);
  }
  return await runPreflight(args, {
    ...{ machine: machineAt(), clock: systemClock, settings, flaws },
    connect: (socketPath) => connectLauncher({ socketPath }),
    ask: (url) => askCoordinator(url, ca, systemClock),
    say: (text) => stdout.write(text),
    complain: (text) => stderr.write(text),
  });
}
