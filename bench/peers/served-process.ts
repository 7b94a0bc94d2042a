/**
 * Owns a server in a process of its own, for scenarios: a module that, run by itself, serves and prints its port. Never knows what is served.
 * Invariant: stop() ends the process that start() began.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** The server as a scenario has it. */
export class ServedProcess {
  readonly url: string;
  readonly pid: number;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, url: string) {
    this.#process = process;
    this.pid = process.pid ?? 0;
    this.url = url;
  }

  /** Runs the module; `scheme` is how its server is spoken to, `words` are its arguments. */
  static async start(module: string, scheme: 'http' | 'ws', ...words: readonly string[]): Promise<ServedProcess> {
    const child = spawn(process.execPath, [module, ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [port] = await once(child.stdout, 'data');
    return new ServedProcess(child, `${scheme}://127.0.0.1:${Number(String(port))}`);
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill('SIGTERM');
    await once(this.#process, 'exit');
  }
}
