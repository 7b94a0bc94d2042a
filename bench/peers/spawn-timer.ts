/**
 * Owns a resident C program that does one round per line and answers with its nanoseconds: the clock of every series without a runtime in it.
 * Never runs two rounds at once. Invariant: a round that failed rejects with the program's own words, and stop() ends the program even in a round.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';

const WORDS_BYTES_MAX = 4096;
const PATIENCE_MS = 2000;

/** A program that answers each line with a duration. */
export class SpawnTimer {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #answers: AsyncIterator<string>;
  readonly #ended: Promise<unknown>;
  #words = '';

  constructor(program: string, ...parameters: readonly string[]) {
    // A process group of its own, so that what hangs below it can be ended with it.
    this.#child = spawn(program, parameters, { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.#words = `${this.#words}${chunk}`.slice(-WORDS_BYTES_MAX);
    });
    this.#child.on('error', ({ message }) => {
      this.#words = message;
    });
    // Writing to one that has ended is told by its answer.
    this.#child.stdin.on('error', () => {});
    this.#ended = new Promise((resolve) => this.#child.once('close', resolve));
  }

  /** Milliseconds of one round. */
  async round(): Promise<number> {
    this.#child.stdin.write('\n');
    const answer = await this.#answers.next();
    if (answer.done !== true) return Number(answer.value) / 1e6;
    await this.#ended;
    const words = this.#words.trim().split('\n').at(-1) ?? '';
    throw new Error(words === '' ? `${this.#child.spawnfile} ended in the middle of a round` : words);
  }

  async stop(): Promise<void> {
    this.#child.stdin.end();
    if (this.#child.exitCode !== null || this.#child.signalCode !== null || this.#child.pid === undefined) return;
    const patience = new AbortController();
    const gone = once(this.#child, 'exit').finally(() => patience.abort());
    await Promise.race([gone, pause(PATIENCE_MS, undefined, patience).catch(() => {})]);
    if (this.#child.exitCode === null && this.#child.signalCode === null) process.kill(-this.#child.pid, 'SIGKILL');
    await gone;
  }
}
