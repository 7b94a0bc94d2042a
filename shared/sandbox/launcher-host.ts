/**
 * Owns a launcher of this process's own: which arguments every such launcher has, and its start, again when it was lost.
 * Never speaks the contract and never judges a run (embedded-sandbox, hosted-sandbox).
 * Invariant: the launcher ends with its socket, however this process ends; the name of its cgroup is used once.
 */
import { systemRandom } from '../clock.ts';
import { SystemError } from '../errors.ts';
import { toBase32 } from '../ids.ts';
import { connectLauncher } from './launcher-client.ts';
import { findLauncher, LauncherProcess, launcherMissing } from './launcher-process.ts';
import type { Sandbox } from './sandbox.ts';

const CGROUP_TOP = '/sys/fs/cgroup';

/** The arguments of a launcher that serves this process alone. */
export function toHostedArguments(options: { stock?: number | undefined; cgroupPath?: string | undefined }): string[] {
  const user = process.getuid?.() ?? 0;
  const name = `embedded-${process.pid}-${toBase32(systemRandom.bytes(5))}`;
  // Our own cgroup holds this process, so it can't hand out controllers; root may make a place elsewhere.
  const place = options.cgroupPath ?? (user === 0 ? CGROUP_TOP : null);
  const stock = options.stock === undefined ? [] : ['--stock', String(options.stock)];
  const ours = ['--cgroup', name, '--client-uid', String(user), ...stock];
  return place === null ? ours : [...ours, '--cgroup-path', place];
}

/** A launcher of our own, started again when it was lost; it holds this process exactly while something waits for it. */
export class LauncherHost {
  readonly #binary: string;
  readonly #arguments: readonly string[];
  #launcher: LauncherProcess | null = null;
  /** The creation counts as the first. */
  #waiting = 1;

  /** `binary` absent: the launcher that belongs to this code; SystemError `launcher-unavailable` when it has not been built. */
  constructor(binary: string | undefined, args: readonly string[]) {
    const found = binary ?? findLauncher();
    if (found === null) throw new SystemError('launcher-unavailable', launcherMissing);
    this.#binary = found;
    this.#arguments = args;
  }

  /** A client that starts the launcher, now and whenever it was lost. */
  connect(): Promise<Sandbox> {
    return connectLauncher({ socketPath: this.#binary, open: () => this.#start() });
  }

  #start(): LauncherProcess['socket'] {
    this.#launcher = new LauncherProcess(this.#binary, this.#arguments);
    this.#launcher.holdProcess(this.#waiting > 0);
    return this.#launcher.socket;
  }

  /** Something waits for the launcher, until `done`. */
  wait(): void {
    if (this.#waiting++ === 0) this.#launcher?.holdProcess(true);
  }

  done(): void {
    if (--this.#waiting === 0) this.#launcher?.holdProcess(false);
  }

  /** The error to tell: for a lost launcher the one with its last words. */
  async explain(what: string, error: unknown): Promise<unknown> {
    if (!(error instanceof SystemError) || error.code !== 'launcher-unavailable' || this.#launcher === null)
      return error;
    const words = await this.#launcher.ended;
    return new SystemError('launcher-unavailable', `${what}: ${words}`, { cause: error });
  }

  /** Resolves when the launcher is gone. */
  async ended(): Promise<void> {
    await this.#launcher?.ended;
  }
}
