/**
 * Owns what a program of Node pays without any sandbox: its own child_process.spawn of a program, until its end and that of its output.
 * Never a sandbox: no namespace, no limit, no other user; it is the floor of whoever embeds one in Node.
 * Invariant: who spawns is a process that does nothing else, told by messages: what a spawn costs grows with the process that calls it, and ours has
 * all samples of a run in it.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Rival } from './peer.ts';

interface Asked {
  readonly round: number;
  readonly program: string;
  readonly parameters: readonly string[];
}

type Told = { readonly round: number } & ({ readonly ms: number } | { readonly problem: string });

/** Milliseconds for one spawn until its exit; rejects when that is not 0. */
function runtimeSpawn(program: string, parameters: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const from = performance.now();
    spawn(program, parameters, { stdio: ['ignore', 'pipe', 'pipe'] })
      .on('error', reject)
      .on('close', (code, signal) => {
        if (code === 0) resolve(performance.now() - from);
        else reject(new Error(`${program} ${code === null ? `was ended by ${signal}` : `exited with ${code}`}`));
      });
  });
}

/** The process that spawns, as a scenario has it. */
export class RuntimeSpawner {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<number>>();
  #rounds = 0;

  constructor() {
    this.#process = fork(import.meta.filename, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#process.on('message', (message) => this.#take(message as Told));
    this.#process.once('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the process that spawns has ended'));
      this.#waiting.clear();
    });
  }

  /** Milliseconds for one spawn until its exit, by the clock of who spawns; rejects when that is not 0. */
  round(program: string, parameters: readonly string[] = []): Promise<number> {
    const asked: Asked = { round: ++this.#rounds, program, parameters };
    const waiting = Promise.withResolvers<number>();
    this.#waiting.set(asked.round, waiting);
    this.#process.send(asked, (error) => {
      if (error !== null) waiting.reject(error);
    });
    return waiting.promise;
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.disconnect();
    await once(this.#process, 'exit');
  }

  #take(told: Told): void {
    const waiting = this.#waiting.get(told.round);
    this.#waiting.delete(told.round);
    if ('ms' in told) waiting?.resolve(told.ms);
    else waiting?.reject(new Error(told.problem));
  }
}

/** Node's own, as a rival: always here. */
export const runtimeSpawnRival: Rival = {
  name: 'node-spawn',
  find: () => ({
    present: {
      name: 'node-spawn',
      version: process.version,
      settings: [
        "child_process.spawn(PROGRAM, { stdio: ['ignore', 'pipe', 'pipe'] }), until its close event, by a process that does nothing else",
      ],
      source: 'path',
      path: process.execPath,
    },
  }),
  start: async () => {
    const spawner = new RuntimeSpawner();
    return {
      round: ([program = '', ...parameters]) => spawner.round(program, parameters),
      stop: () => spawner.stop(),
    };
  },
};

function serve(): void {
  process.on('message', ({ round, program, parameters }: Asked) => {
    runtimeSpawn(program, parameters).then(
      (ms) => process.send?.({ round, ms }),
      (error: Error) => process.send?.({ round, problem: error.message }),
    );
  });
}

if (import.meta.main) serve();
