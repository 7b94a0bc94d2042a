/**
 * Owns starting `make run`'s supervisor on a private port and state directory, for tests and benchmarks, and finding its processes.
 * Never reaches into a process: it looks through standard output, /proc and signals, as an operator would.
 * Invariant: stop() removes the state directory and ends what start() began.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const root = join(import.meta.dirname, '../..');
/** Below it are services that a machine may have. */
const PORT_MIN = 12_000;

/**
 * A loopback port that was free a moment ago, below those that the kernel gives to connections: whoever is told to listen on it later does not
 * find that somebody's connection has it.
 */
export async function freePort(): Promise<number> {
  const [lowest = 32_768] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split('\t').map(Number);
  const [from, to] = lowest > 2 * PORT_MIN ? [PORT_MIN, lowest] : [PORT_MIN, 65_536];
  for (;;) {
    const port = randomInt(from, to);
    const server = createServer().listen(port, '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
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

/** The text of a file of /proc, empty when its process is gone. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

const commandOf = (pid: number): string => read(`/proc/${pid}/cmdline`);
const parentOf = (pid: number): number => Number(/^PPid:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0);

/** Ids of processes whose command line contains `program` and whose environment contains `marker`. */
function processesOf(program: string, marker: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => commandOf(pid).includes(program) && read(`/proc/${pid}/environ`).includes(marker));
}

/**
 * Ids of all egress proxies on this machine. A launcher names their program too, and so does whatever it has begun until that is another program: one look
 * at a command line decides, since after two a build's script could be taken for a proxy.
 */
function egressProxies(): number[] {
  const ids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return ids.map(Number).filter((pid) => {
    const command = commandOf(pid);
    return command.includes('coordinator/egress/main.ts') && !command.includes('--egress-command');
  });
}

/** The programs that learn the state directory from their environment. */
const programs = [
  'agent/main.ts',
  'coordinator/main.ts',
  'coordinator/builder/main.ts',
  'coordinator/environments/verifier/main.ts',
] as const;

/** `make run` without its preparation and demonstration. */
export class PrivateInstance {
  readonly stateDirectory = mkdtempSync(join(tmpdir(), 'envicutor-private-'));
  readonly output: string[] = [];
  port = 0;
  #supervisor: ChildProcess | null = null;

  async start(variables: Readonly<Record<string, string>> = {}): Promise<void> {
    // Kept for the next start: whoever was told the URL finds the instance there again.
    if (this.port === 0) this.port = await freePort();
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
    const victim = this.kill('agent/main.ts');
    while (processesOf('agent/main.ts', `${this.stateDirectory}/`).every((pid) => pid === victim) || !(await ready())) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Ends a process of the instance with SIGKILL, by its program's path, and returns its id; the supervisor starts its successor. */
  kill(program: (typeof programs)[number]): number {
    const victim = this.processId(program);
    process.kill(victim, 'SIGKILL');
    return victim;
  }

  /** The id of a process of the instance, by its program's path. */
  processId(program: (typeof programs)[number]): number {
    const [id] = processesOf(program, `${this.stateDirectory}/`);
    if (id === undefined) throw new Error(`${program} is not found in /proc`);
    return id;
  }

  /** Ends the egress proxy of a build that is under way with SIGKILL; null when no build has one now. */
  killEgressProxy(): number | null {
    const [victim] = egressProxies().filter((pid) => this.#isBelowLauncher(pid));
    if (victim === undefined) return null;
    try {
      process.kill(victim, 'SIGKILL');
    } catch {
      // Its build was over a moment earlier.
      return null;
    }
    return victim;
  }

  /** Was this started by a launcher of this instance? The command line of that names the state directory. */
  #isBelowLauncher(pid: number): boolean {
    for (let above = parentOf(pid); above > 1; above = parentOf(above)) {
      if (commandOf(above).includes(`${this.stateDirectory}/builder-layers`)) return true;
    }
    return false;
  }

  /** Stops and starts with the same state and URL, and these variables alone; milliseconds from the start's spawn to its last word before serving. */
  async restart(variables: Readonly<Record<string, string>> = {}): Promise<number> {
    await this.#end();
    const from = performance.now();
    await this.start(variables);
    return performance.now() - from;
  }

  async #end(): Promise<void> {
    const supervisor = this.#supervisor;
    this.#supervisor = null;
    if (supervisor !== null && supervisor.exitCode === null) {
      supervisor.kill('SIGINT');
      await once(supervisor, 'exit');
    }
  }

  async stop(): Promise<void> {
    await this.#end();
    rmSync(this.stateDirectory, { recursive: true, force: true });
  }
}
