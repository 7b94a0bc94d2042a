/**
 * Owns bad neighbours at an instance in a process of its own, so that reading what they say is not in anybody's clock: so many lanes that run
 * neighbour.c under given limits through the HTTP API, again as soon as one has ended. Never measures.
 * Invariant: after end() none of them runs; a lane that broke is end()'s error.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { Pool } from 'undici';
import type { Limits } from '../../shared/model/limits.ts';
import { InstanceProgram } from '../workloads/execute-program.ts';

/** What neighbours are, and how many. */
export interface NeighbourOrder {
  /** neighbour.c's word. */
  readonly mode: string;
  readonly lanes: number;
  readonly limits: Limits;
}

/** How many ended by which verdict. */
export type NeighbourEnds = Readonly<Record<string, number>>;

/** The process as a scenario has it: an order on a line begins neighbours, an empty line ends them and is answered by their ends. */
export class NeighbourLanes {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #answers: AsyncIterator<string>;

  private constructor(url: string) {
    this.#child = spawn(process.execPath, [import.meta.filename, url], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdin.on('error', () => undefined);
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  static async start(url: string): Promise<NeighbourLanes> {
    const lanes = new NeighbourLanes(url);
    await lanes.#answer();
    return lanes;
  }

  begin(order: NeighbourOrder): void {
    this.#child.stdin.write(`${JSON.stringify(order)}\n`);
  }

  /** Waits for those that run. */
  async end(): Promise<NeighbourEnds> {
    this.#child.stdin.write('\n');
    return JSON.parse(await this.#answer()) as NeighbourEnds;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.stdin.end();
    await once(this.#child, 'exit');
  }

  async #answer(): Promise<string> {
    const { done, value } = await this.#answers.next();
    if (done === true) throw new Error('the neighbours broke');
    return value;
  }
}

async function serve(url: string): Promise<void> {
  const pool = new Pool(url, { pipelining: 1 });
  const program = await InstanceProgram.send(pool, 'neighbour');
  let ends: Record<string, number> = {};
  let running: AbortController | null = null;
  let lanes: Promise<unknown> = Promise.resolve();
  const lane = async ({ mode, limits }: NeighbourOrder, { signal }: AbortController) => {
    while (!signal.aborted) {
      const { verdict } = await program.execute([mode], limits);
      const end = verdict ?? 'no verdict';
      ends[end] = (ends[end] ?? 0) + 1;
    }
  };
  process.stdout.write('ready\n');
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === '') {
      running?.abort();
      await lanes;
      process.stdout.write(`${JSON.stringify(ends)}\n`);
      ends = {};
    } else {
      const order = JSON.parse(line) as NeighbourOrder;
      const ours = new AbortController();
      running = ours;
      lanes = Promise.all(Array.from({ length: order.lanes }, () => lane(order, ours)));
    }
  }
  running?.abort();
  await lanes;
  await pool.close();
}

if (import.meta.main) await serve(process.argv[2] ?? '');
