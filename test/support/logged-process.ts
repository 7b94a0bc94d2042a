/**
 * Owns one of our programs as a process of its own, seen from outside: what it logs, line by line, and signals. Never reaches into it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** One line of its log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string };

export class LoggedProcess {
  readonly log: LogLine[] = [];
  stderr = '';
  protected readonly child: ChildProcess;
  readonly #name: string;

  /** `name` is for messages; `env` is all of its environment. */
  constructor(name: string, [program = '', ...args]: readonly string[], env: Readonly<Record<string, string>>) {
    this.#name = name;
    this.child = spawn(program, args, { env, stdio: 'pipe' });
    const { stdout, stderr } = this.child;
    if (stdout === null || stderr === null) throw new Error(`the ${name} has no output`);
    createInterface({ input: stdout }).on('line', (line) => {
      this.log.push(JSON.parse(line));
      this.child.emit('logged');
    });
    stderr.on('data', (chunk) => {
      this.stderr += chunk;
    });
  }

  /** The first log line that fits, past or to come. */
  async logged(fits: (line: LogLine) => boolean): Promise<LogLine> {
    for (;;) {
      const line = this.log.find(fits);
      if (line !== undefined) return line;
      if (this.child.exitCode !== null)
        throw new Error(`the ${this.#name} ended with ${this.child.exitCode}: ${this.stderr}`);
      await Promise.race([once(this.child, 'logged'), once(this.child, 'exit')]);
    }
  }

  /** Resolves with its exit code when it has ended by itself. */
  async exited(): Promise<number | null> {
    if (this.child.exitCode === null) await once(this.child, 'close');
    return this.child.exitCode;
  }

  /** Ends it by a signal; the exit code, or null when the signal ended it. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const ended = once(this.child, 'exit');
      this.child.kill(signal);
      await ended;
    }
    return this.child.exitCode;
  }
}
