/**
 * Owns the life of one process of the instance: started with its own unprivileged id, restarted with back-off when it ends by itself,
 * asked to stop by SIGTERM and killed when it does not.
 * Never knows what the process does; readiness is a probe that its description brings.
 * Invariant: after `stop` has resolved the process is dead and will not be started again.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { EXIT_CONFIGURATION } from '../../shared/config.ts';
import type { PrefixedLog } from './prefixed-log.ts';

const RESTART_MS_MIN = 100;
const RESTART_MS_MAX = 5_000;
/** A process that lived so long has earned a quick restart again. */
const SETTLED_MS = 10_000;
const PROBE_MS = 15;
const READY_MS_MAX = 30_000;
/** Deaths before the first readiness after which the start is given up. */
const EARLY_DEATHS_MAX = 3;
const STOP_MS_MAX = 10_000;

/** What to run, as whom, and how one sees that it is ready. */
export interface ProcessDescription {
  readonly name: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** User and group id on the host; null for the launchers, which are root. */
  readonly userId: number | null;
  readonly groupId: number | null;
  isReady(): Promise<boolean>;
}

const pause = (delayMs: number) => new Promise<void>((resolve) => setTimeout(resolve, delayMs));

/** One process, kept running. */
export class SupervisedProcess {
  readonly name: string;
  readonly #description: ProcessDescription;
  readonly #log: PrefixedLog;
  #child: ChildProcess | null = null;
  #isWanted = false;
  #wasReady = false;
  #earlyDeaths = 0;
  #restartMs = RESTART_MS_MIN;
  #lastExit: number | null = null;

  constructor(description: ProcessDescription, log: PrefixedLog) {
    this.name = description.name;
    this.#description = description;
    this.#log = log;
  }

  /** Starts it and resolves when it is ready; rejects with a sentence when it can't become so. */
  async start(): Promise<void> {
    this.#isWanted = true;
    this.#spawn();
    const deadline = performance.now() + READY_MS_MAX;
    while (!(await this.#description.isReady())) {
      if (!this.#isWanted) throw new Error(`${this.name} was stopped before it was ready`);
      if (this.isRefused) throw new Error(`${this.name} refused to start (see its line above)`);
      if (this.#earlyDeaths >= EARLY_DEATHS_MAX)
        throw new Error(`${this.name} died ${this.#earlyDeaths} times before it was ready`);
      if (performance.now() > deadline) throw new Error(`${this.name} was not ready after ${READY_MS_MAX / 1000} s`);
      await pause(PROBE_MS);
    }
    this.#wasReady = true;
  }

  /** Did it say that it can't work with this configuration or machine (exit code 78)? */
  get isRefused(): boolean {
    return this.#lastExit === EXIT_CONFIGURATION;
  }

  /** Ends it for good. */
  async stop(): Promise<void> {
    this.#isWanted = false;
    const child = this.#child;
    if (child === null) return;
    const ended = once(child, 'close');
    child.kill('SIGTERM');
    const timer = setTimeout(() => {
      this.#log.line('supervisor', `${this.name} did not stop in ${STOP_MS_MAX / 1000} s and is killed`);
      child.kill('SIGKILL');
    }, STOP_MS_MAX);
    await ended;
    clearTimeout(timer);
  }

  #spawn(): void {
    const [program = '', ...parameters] = this.#privileged();
    const startedAt = performance.now();
    // What an unprivileged process makes (sockets, staged layers) is for its folder's group and nobody else; a sandbox gets the usual mask.
    const umask = process.umask(this.#description.userId === null ? 0o022 : 0o007);
    const child = spawn(program, parameters, {
      cwd: '/',
      env: { ...this.#description.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    process.umask(umask);
    this.#child = child;
    void this.#log.follow(this.name, child.stdout);
    void this.#log.follow(this.name, child.stderr);
    child.once('error', (error) => this.#log.line(this.name, error.message));
    child.once('close', (code, signal) => this.#ended(code, signal, performance.now() - startedAt));
  }

  /** The command line; an unprivileged process can never get a capability or a new privilege back. */
  #privileged(): readonly string[] {
    const { command, userId, groupId } = this.#description;
    if (userId === null) return command;
    const ids = [`--reuid=${userId}`, `--regid=${groupId ?? userId}`, '--clear-groups'];
    return ['setpriv', ...ids, '--no-new-privs', '--inh-caps=-all', '--bounding-set=-all', '--', ...command];
  }

  #ended(code: number | null, signal: string | null, livedMs: number): void {
    this.#child = null;
    this.#lastExit = code;
    if (!this.#wasReady) this.#earlyDeaths += 1;
    if (!this.#isWanted || code === EXIT_CONFIGURATION) return;
    if (!this.#wasReady && this.#earlyDeaths >= EARLY_DEATHS_MAX) return;
    if (livedMs > SETTLED_MS) this.#restartMs = RESTART_MS_MIN;
    this.#log.line(
      'supervisor',
      `${this.name} ended with ${signal ?? code}; starting it again in ${this.#restartMs} ms`,
    );
    setTimeout(() => {
      if (this.#isWanted) this.#spawn();
    }, this.#restartMs);
    this.#restartMs = Math.min(this.#restartMs * 2, RESTART_MS_MAX);
  }
}
