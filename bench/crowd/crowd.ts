/**
 * Owns many agents of one process as a scenario has them: they connect, then only report; stopped, they are gone without a word.
 * Never measures anything. Invariant: stop() ends the process that start() began.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** Where a crowd goes. */
export interface CrowdTarget {
  /** Of the WebSocket. */
  readonly url: string;
  /** Whose API gives tokens; '': none are wanted. */
  readonly api: string;
}

/** Agents that are connected. */
export class Crowd {
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  /** Resolves when all of them have been let in. */
  static async start({ url, api }: CrowdTarget, agents: number): Promise<Crowd> {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), url, api, String(agents)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`the crowd ended with ${code} before it was in`);
    });
    ended.catch(() => undefined);
    await Promise.race([once(child.stdout, 'data'), ended]);
    return new Crowd(child);
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    this.#process.kill('SIGTERM');
    await once(this.#process, 'exit');
  }
}
