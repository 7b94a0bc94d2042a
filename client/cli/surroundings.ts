/**
 * Owns what a command may touch of the process that it runs in: streams, variables, folders, what interrupts it. Never an effect by itself.
 * Invariant: commands get all of it here, so that a test runs them without a process.
 */
import { join } from 'node:path';
import type { ReadStream, WriteStream } from 'node:tty';
import type { Clock } from '../../shared/clock.ts';

/** The process as a command sees it. */
export interface Surroundings {
  readonly stdin: ReadStream;
  readonly stdout: WriteStream;
  readonly stderr: WriteStream;
  /** Ctrl-C, SIGTERM, or that nobody reads the output: the reason is the signal's name. */
  readonly signal: AbortSignal;
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** The current folder. */
  readonly folder: string;
  /** The user's own. */
  readonly home: string;
  readonly clock: Clock;
  /** Is it root's process? */
  readonly isRoot: boolean;
}

/** What is wrong with what was asked for, as one sentence; the exit code says whose fault it is. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, sentence: string, cause?: unknown) {
    super(sentence, cause === undefined ? undefined : { cause });
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}

const baseFolders = { CONFIG: '.config', STATE: '.local/state', CACHE: '.cache' } as const;

/** A place of ours in one of the user's folders. */
export function userPlace(
  { variables, home }: Pick<Surroundings, 'variables' | 'home'>,
  kind: keyof typeof baseFolders,
  name: string,
): string {
  const given = variables[`XDG_${kind}_HOME`];
  return join(given?.startsWith('/') === true ? given : join(home, baseFolders[kind]), 'envicutor', name);
}

/** Says one sentence on standard error. */
export function say({ stderr }: Pick<Surroundings, 'stderr'>, sentence: string): void {
  stderr.write(`envicutor: ${sentence}\n`);
}

/** Writes, and waits while the stream's reader is behind; one that is gone holds nobody. */
export async function writeAll(stream: WriteStream, bytes: string | Uint8Array): Promise<void> {
  if (stream.destroyed || stream.write(bytes)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const event of ['drain', 'close'] as const) stream.once(event, resolve);
  await promise;
  for (const event of ['drain', 'close'] as const) stream.off(event, resolve);
}

const palette = { red: 31, green: 32, yellow: 33, cyan: 36, dim: 2, bold: 1 } as const;
export type Colour = keyof typeof palette;
export type Paint = (colour: Colour, text: string) => string;

/** Colours, where there is a terminal that may have them. */
export function paintFor(stream: Pick<WriteStream, 'isTTY'>, variables: Surroundings['variables']): Paint {
  const isPlain = stream.isTTY !== true || (variables['NO_COLOR'] ?? '') !== '' || variables['TERM'] === 'dumb';
  return isPlain ? (_, text) => text : (colour, text) => `\u001b[${palette[colour]}m${text}\u001b[0m`;
}
