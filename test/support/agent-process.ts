/**
 * Starts agent/main.ts as a process of its own, as an operator would, and looks at it from outside.
 * Never reaches into it: log lines, /proc and signals.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const program = new URL('../../agent/main.ts', import.meta.url).pathname;

/** One line of its log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string };

export class AgentProcess {
  readonly log: LogLine[] = [];
  stderr = '';
  readonly #child: ChildProcess;

  constructor(variables: Readonly<Record<string, string>>) {
    const names = Object.entries(variables).map(([name, value]) => [`ENVICUTOR_AGENT_${name}`, value]);
    const cache = { NODE_COMPILE_CACHE: join(variables['STATE_DIRECTORY'] ?? '', 'compiled') };
    const env = { ...Object.fromEntries(names), ...cache };
    this.#child = spawn(process.execPath, [program], { env, stdio: 'pipe' });
    const { stdout, stderr } = this.#child;
    if (stdout === null || stderr === null) throw new Error('the agent has no output');
    createInterface({ input: stdout }).on('line', (line) => {
      this.log.push(JSON.parse(line));
      this.#child.emit('logged');
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
      if (this.#child.exitCode !== null)
        throw new Error(`the agent ended with ${this.#child.exitCode}: ${this.stderr}`);
      await Promise.race([once(this.#child, 'logged'), once(this.#child, 'exit')]);
    }
  }

  get residentBytes(): number {
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.#child.pid}/status`, 'utf8'))?.[1];
    return Number(kib) * 1024;
  }

  /** Ends it by a signal; the exit code, or null when the signal ended it. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill(signal);
      await once(this.#child, 'exit');
    }
    return this.#child.exitCode;
  }

  async exited(): Promise<number | null> {
    if (this.#child.exitCode === null) await once(this.#child, 'close');
    return this.#child.exitCode;
  }
}
