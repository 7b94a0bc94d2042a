/**
 * Owns the process of a rival that serves: started in a folder of its own, which holds what it says; its end told in one sentence.
 * Never outlives this process, whatever ends that. Invariant: stop() returns when the process and its folder are gone.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { descendantsOf } from '../gauges/process-memory.ts';

const PATIENCE_MS = 10_000;
/** So long after a broken connection the end of the process is waited for, to be told instead. */
const END_MS = 1000;
const POLL_MS = 20;

/** A rival's process. */
export class PeerProcess {
  readonly pid: number;
  readonly folder: string;
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #failure: string | null = null;

  private constructor(name: string, folder: string, child: ChildProcess) {
    this.#name = name;
    this.folder = folder;
    this.#child = child;
    this.pid = child.pid ?? 0;
    child.on('error', ({ message }) => {
      this.#failure = message;
    });
    this.#ended = new Promise((resolve) => child.once('exit', resolve).once('error', resolve));
  }

  /** `toCommand` gets the folder, which is also the working directory. */
  static start(name: string, toCommand: (folder: string) => readonly string[]): PeerProcess {
    const folder = mkdtempSync(join(tmpdir(), `envicutor-peer-${name}-`));
    const words = openSync(join(folder, 'words'), 'a');
    // It becomes the program: same process, no more in it than that our death is its own.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...toCommand(folder)], {
      cwd: folder,
      stdio: ['ignore', words, words],
    });
    closeSync(words);
    return new PeerProcess(name, folder, child);
  }

  /** How it ended and what it said, or null while it runs. */
  gone(): string | null {
    const { exitCode, signalCode } = this.#child;
    if (this.#failure !== null) return `it could not be started: ${this.#failure}`;
    if (exitCode === null && signalCode === null) return null;
    const how = signalCode === null ? `exited with ${exitCode}` : `was ended by ${signalCode}`;
    const said = this.#said();
    return `it ${how}${said === '' ? '' : `: ${said}`}`;
  }

  /** Resolves when `isReady` does so with true; throws when it has ended, or when it takes too long. */
  async ready(isReady: () => Promise<boolean>): Promise<void> {
    const until = performance.now() + PATIENCE_MS;
    while (!(await isReady().catch(() => false))) {
      const end = this.gone();
      if (end !== null) throw new Error(`${this.#name}: ${end}`);
      if (performance.now() > until)
        throw new Error(`${this.#name}: it does not serve after ${PATIENCE_MS / 1000} s: ${this.#said()}`);
      await pause(POLL_MS);
    }
  }

  /** What `ask` resolves with; where that fails since the process has ended, its end is what is told. */
  async told<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    const before = this.gone();
    if (before !== null) throw new Error(`${this.#name}: ${before}`);
    try {
      return await ask();
    } catch (error) {
      await Promise.race([this.#ended, pause(END_MS)]);
      const end = this.gone();
      throw end === null ? error : new Error(`${this.#name}: ${end}`);
    }
  }

  /** Ends it by `signal`, or by SIGKILL to its only child, which is the first process of a namespace and takes all others with it. */
  async stop(signal: 'SIGTERM' | 'its child'): Promise<void> {
    if (this.gone() === null) {
      const [first] = signal === 'its child' ? descendantsOf(this.pid) : [];
      if (first === undefined) this.#child.kill('SIGTERM');
      else process.kill(first, 'SIGKILL');
      const patience = setTimeout(() => this.#child.kill('SIGKILL'), PATIENCE_MS);
      await this.#ended;
      clearTimeout(patience);
    }
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  /** The line that a crash begins with, else the last one. */
  #said(): string {
    try {
      const lines = readFileSync(join(this.folder, 'words'), 'utf8').split('\n');
      return (
        lines.find((line) => /^(panic|fatal)/.test(line)) ??
        lines.findLast((line) => line.trim() !== '') ??
        ''
      ).trim();
    } catch {
      return '';
    }
  }
}
