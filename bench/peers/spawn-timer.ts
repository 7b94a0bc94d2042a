/**
 * Owns a resident C program that does one round per line and answers with its nanoseconds: the clock of every series without a runtime in it.
 * Never runs two rounds at once. Invariant: a round that failed rejects with the program's own words.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

/** A program that answers each line with a duration. */
export class SpawnTimer {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #answers: AsyncIterator<string>;

  constructor(program: string, ...parameters: readonly string[]) {
    this.#child = spawn(program, parameters, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Milliseconds of one round. */
  async round(): Promise<number> {
    this.#child.stdin.write('\n');
    const answer = await this.#answers.next();
    if (answer.done === true) throw new Error(`${this.#child.spawnfile} ended in the middle of a round`);
    return Number(answer.value) / 1e6;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.stdin.end();
    await once(this.#child, 'exit');
  }
}
