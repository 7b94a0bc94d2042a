/**
 * Owns a command's way to its coordinator: which one, with which key, started if it is this machine's own and nobody has; and what its errors are to people.
 * Never asks anything itself. Invariant: nothing of it is left open when the command is over.
 */
import { EnvicutorClient } from '../typescript/envicutor-client.ts';
import { EnvicutorError, isNetworkError } from '../typescript/envicutor-error.ts';
import { type ChosenInstance, chooseInstance } from './configured-instances.ts';
import { exitCodes } from './exit-codes.ts';
import type { GivenFlags } from './invocation.ts';
import { CommandError, type Surroundings } from './surroundings.ts';

/** What a command asks. */
export interface Session {
  readonly instance: ChosenInstance;
  /** For what is to be answered or refused at once. */
  readonly quick: EnvicutorClient;
  /** For what goes on for long: it outlives broken connections and restarts of the coordinator. */
  readonly patient: EnvicutorClient;
}

/** A key on its way in the clear is nobody's wish. */
function clientOf({ url, key }: ChosenInstance, budgetMs: number): EnvicutorClient {
  return new EnvicutorClient({ url, ...(key === null ? {} : { key }), retries: { budgetMs } });
}

const PATIENCE_MS = 120_000;

/** The session with an instance. */
export function openSession(instance: ChosenInstance): Session {
  return { instance, quick: clientOf(instance, 0), patient: clientOf(instance, PATIENCE_MS) };
}

/** Does something with the coordinator that flags and settings name. */
export async function withSession(
  surroundings: Surroundings,
  flags: GivenFlags,
  act: (session: Session) => Promise<number>,
): Promise<number> {
  const instance = chooseInstance(surroundings, flags);
  // Loaded where it is needed: who names a coordinator starts nothing.
  const use = instance.isDefault ? await (await import('./background-instance.ts')).useOwnInstance(surroundings) : null;
  try {
    return await act(openSession(instance));
  } catch (error) {
    if (surroundings.signal.aborted) await use?.abandon();
    throw toCommandError(error, instance, surroundings.signal);
  } finally {
    use?.release();
  }
}

/** An error as one sentence with an exit code; what interrupted the command stays what it is. */
export function toCommandError(error: unknown, { url, keyFrom }: ChosenInstance, signal: AbortSignal): unknown {
  if (!(error instanceof EnvicutorError) || signal.aborted) return error;
  const places = error.errors.map(({ pointer, detail }) => `\n  ${pointer}: ${detail}`).join('');
  const make = (code: number, sentence: string) => new CommandError(code, sentence, error);
  const isSilent: boolean = isNetworkError(error);
  if (isSilent)
    return make(exitCodes.unreachable, `${url} can't be reached: ${causeOf(error)}; \`envicutor doctor\` says more`);
  if (error.code === 'answer-unexpected' || error.code === 'answer-malformed')
    return make(
      exitCodes.unreachable,
      `${url} does not answer as a coordinator does (${error.detail}): is the address right?`,
    );
  if (error.status === 401) {
    const remedy =
      keyFrom === null
        ? `\`envicutor login ${url}\` asks for one`
        : `the one of ${keyFrom} is not known there, or its time is over`;
    return make(exitCodes.refused, `${url} wants a key: ${remedy}`);
  }
  if (error.status === 403) return make(exitCodes.refused, `${url} refuses: ${error.detail}`);
  const isWords = error.status === 400 || error.status === 404 || error.status === 413;
  const told = error.requestId === null || isWords ? '' : ` (request ${error.requestId})`;
  return make(isWords ? exitCodes.usage : exitCodes.ours, `${error.detail}${told}${places}`);
}

/** The system's own word for it is the shortest. */
function causeOf(error: Error): string {
  let deepest: Error = error;
  while (deepest.cause instanceof Error) deepest = deepest.cause;
  const { code } = deepest as NodeJS.ErrnoException;
  if (deepest instanceof AggregateError && deepest.errors[0] instanceof Error) return deepest.errors[0].message;
  return deepest.message === '' ? (code ?? 'no answer') : deepest.message;
}
