/**
 * Owns starting a launcher for this process alone: one end of a connected socket is its descriptor 3, and it ends with that socket,
 * however this process ends. Never restarts it and never speaks the contract.
 * Invariant: the launcher inherits no descriptor, variable or working directory of ours, and no signal of our terminal reaches it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { inheritedEnvironment } from '../config.ts';

const DESCRIPTOR = 3;
const LAST_WORDS_BYTES_MAX = 8192;

/** Where `make` puts the launcher, seen from the sources and from the published dist/. */
const builtPlaces = ['./launcher/', '../../../shared/sandbox/launcher/'].map((folder) =>
  fileURLToPath(new URL(`${folder}build/envicutor-launcher`, import.meta.url)),
);

/** Where a release has the launcher for this architecture, seen from its dist/ (ops/release). */
const prebuilt = new URL(`../../../prebuilt/linux-${process.arch}/envicutor-launcher`, import.meta.url);
const places = [...builtPlaces, fileURLToPath(prebuilt)];

/** The launcher that belongs to this code: one that was built in place, else the release's; null when there is neither. */
export function findLauncher(): string | null {
  return places.find((path) => existsSync(path)) ?? null;
}

/** The sentence for who has no launcher. */
export const launcherMissing = `there is no launcher at ${places.join(' or ')}; build it: make -C the folder 'launcher' of one of these, with gcc`;

/** A launcher of our own, from its start to its end. */
export class LauncherProcess {
  /** Our end of the connection. */
  readonly socket: Socket;
  /** Resolves with the launcher's last words when it is gone: why it refused, what went wrong, or how it ended. */
  readonly ended: Promise<string>;
  readonly processId: number | undefined;
  readonly #child: ChildProcess;
  readonly #errors: Readable & Pick<Socket, 'ref' | 'unref'>;

  /** Starts `binary --fd 3 ...args`; a failure to start is told by `ended` and by the closed socket. */
  constructor(binary: string, args: readonly string[]) {
    const env = inheritedEnvironment(['PATH', 'HOME', 'XDG_RUNTIME_DIR']);
    const child = spawn(binary, ['--fd', String(DESCRIPTOR), ...args], {
      // Detached: an interrupt at our terminal is ours to handle, not the launcher's.
      ...{ env, cwd: '/', detached: true, stdio: ['ignore', 'ignore', 'pipe', 'pipe'] },
    });
    this.#child = child;
    this.processId = child.pid;
    this.socket = child.stdio[DESCRIPTOR] as Socket;
    this.#errors = child.stdio[2] as Socket;
    this.ended = lastWordsOf(child, this.#errors);
  }

  /** Says whether the launcher keeps our process alive; a fresh one does. */
  holdProcess(isHeld: boolean): void {
    for (const handle of [this.#child, this.socket, this.#errors]) {
      if (isHeld) handle.ref();
      else handle.unref();
    }
  }
}

async function lastWordsOf(child: ChildProcess, errors: Readable): Promise<string> {
  let said = '';
  errors.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-LAST_WORDS_BYTES_MAX);
  });
  const { promise, resolve } = Promise.withResolvers<string>();
  child.once('error', (error) => resolve(`it can't be started: ${error.message}`));
  child.once('close', (code, signal) => resolve(toLastWords(said) ?? `it ended with ${signal ?? code}`));
  return promise;
}

const REFUSAL = 'envicutor-launcher: ';

/** The refusal among what a launcher wrote, else its last error; null when there is neither. */
export function toLastWords(text: string): string | null {
  const lines = text.split('\n').filter((line) => line !== '');
  const refusal = lines.findLast((line) => line.startsWith(REFUSAL));
  if (refusal !== undefined) return refusal.slice(REFUSAL.length);
  return lines.map(toProblem).findLast((problem) => problem !== null) ?? null;
}

/** What an error line of the log says; null for any other line. */
function toProblem(line: string): string | null {
  try {
    const { level, msg, ...rest } = JSON.parse(line) as Record<string, unknown>;
    const details = [rest['error'], rest['remedy']].filter((detail) => typeof detail === 'string');
    return level === 'error' || level === 'fatal' ? [msg, ...details].join(': ') : null;
  } catch {
    return null;
  }
}
