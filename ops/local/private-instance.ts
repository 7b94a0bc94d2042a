/**
 * Owns starting `make run`'s supervisor on a private port and state directory, for tests and benchmarks, and finding its processes.
 * Never reaches into a process: it looks through standard output, /proc and signals, as an operator would.
 * Invariant: stop() removes the state directory and ends what start() began.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const root = join(import.meta.dirname, '../..');

/** A TCP port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Resolves when a line of the child's output matches; rejects when the child ends before. */
async function lineOf(child: ChildProcess, pattern: RegExp, seen: string[]): Promise<void> {
  if (child.stdout === null) throw new Error('the child has no standard output');
  const lines = createInterface({ input: child.stdout });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`ended with ${code} before ${pattern}:\n${seen.slice(-60).join('\n')}`);
  });
  const matched = new Promise<void>((resolve) => {
    lines.on('line', (line) => {
      seen.push(line);
      if (pattern.test(line)) resolve();
    });
  });
  await Promise.race([matched, ended]);
  ended.catch(() => undefined);
}

/** Ids of processes whose command line contains `program` and whose environment contains `marker`. */
function processesOf(program: string, marker: string): number[] {
  const read = (path: string): string => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return '';
    }
  };
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => read(`/proc/${name}/cmdline`).includes(program) && read(`/proc/${name}/environ`).includes(marker))
    .map(Number);
}

/** `make run` without its preparation and demonstration. */
export class PrivateInstance {
  readonly stateDirectory = mkdtempSync(join(tmpdir(), 'envicutor-private-'));
  readonly output: string[] = [];
  port = 0;
  #supervisor: ChildProcess | null = null;

  async start(variables: Readonly<Record<string, string>> = {}): Promise<void> {
    this.port = await freePort();
    this.#supervisor = spawn(process.execPath, ['ops/local/main.ts', '--no-demo'], {
      cwd: root,
      env: {
        ...process.env,
        ENVICUTOR_PORT: String(this.port),
        ENVICUTOR_STATE_DIRECTORY: this.stateDirectory,
        ...variables,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await lineOf(this.#supervisor, /serving until/, this.output);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Ends the agent with SIGKILL; resolves when its successor is another process. */
  async killAgent(ready: () => Promise<boolean>): Promise<void> {
    const [victim] = processesOf('agent/main.ts', `${this.stateDirectory}/`);
    if (victim === undefined) throw new Error('the agent is not found in /proc');
    process.kill(victim, 'SIGKILL');
    while (processesOf('agent/main.ts', `${this.stateDirectory}/`).every((pid) => pid === victim) || !(await ready())) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async stop(): Promise<void> {
    const supervisor = this.#supervisor;
    this.#supervisor = null;
    if (supervisor !== null && supervisor.exitCode === null) {
      supervisor.kill('SIGINT');
      await once(supervisor, 'exit');
    }
    rmSync(this.stateDirectory, { recursive: true, force: true });
  }
}
