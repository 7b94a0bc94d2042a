/**
 * Starts coordinator/main.ts as a process of its own, as an operator would, and looks at it from outside.
 * Never reaches into it: log lines, HTTP and signals.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { LogLine } from './agent-process.ts';

const program = new URL('../../coordinator/main.ts', import.meta.url).pathname;

export class CoordinatorProcess {
  readonly log: LogLine[] = [];
  readonly pid: number;
  stderr = '';
  url = '';
  readonly #child: ChildProcess;

  /** Variables without their prefix, such as STATE_DIRECTORY. */
  constructor(variables: Readonly<Record<string, string>>) {
    const names = Object.entries(variables).map(([name, value]) => [`ENVICUTOR_${name}`, value]);
    const cache = { NODE_COMPILE_CACHE: join(variables['STATE_DIRECTORY'] ?? '', '../compiled') };
    const env = { ...Object.fromEntries(names), ...cache };
    // Dies with its test, however that ends.
    const command = ['--pdeathsig', 'KILL', process.execPath, program];
    this.#child = spawn('setpriv', command, { env, stdio: 'pipe' });
    this.pid = this.#child.pid ?? 0;
    const { stdout, stderr } = this.#child;
    if (stdout === null || stderr === null) throw new Error('the coordinator has no output');
    createInterface({ input: stdout }).on('line', (line) => {
      this.log.push(JSON.parse(line));
      this.#child.emit('logged');
    });
    stderr.on('data', (chunk) => {
      this.stderr += chunk;
    });
  }

  /** Resolves when it serves. */
  async ready(): Promise<void> {
    const { url } = await this.logged(({ msg }) => msg === 'coordinator ready');
    this.url = String(url);
  }

  /** The first log line that fits, past or to come. */
  async logged(fits: (line: LogLine) => boolean): Promise<LogLine> {
    for (;;) {
      const line = this.log.find(fits);
      if (line !== undefined) return line;
      if (this.#child.exitCode !== null) {
        throw new Error(`the coordinator ended with ${this.#child.exitCode}: ${this.stderr}`);
      }
      await Promise.race([once(this.#child, 'logged'), once(this.#child, 'exit')]);
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends it by a signal; the exit code, or null when the signal ended it. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = once(this.#child, 'exit');
      this.#child.kill(signal);
      await ended;
    }
    return this.#child.exitCode;
  }
}
