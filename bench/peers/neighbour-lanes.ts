/**
 * Owns bad neighbours at an instance in a process of its own, so that reading what they say is not in anybody's clock: so many lanes that run
 * neighbour.c under ordinary limits through the HTTP API, again as soon as one has ended. Never measures.
 * Invariant: after stop() none of them runs; a lane that broke is stop()'s error.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Pool } from 'undici';
import type { Limits } from '../../shared/model/limits.ts';
import { InstanceProgram } from '../execute-program.ts';

/** What neighbours are, where, and how many. */
export interface NeighbourOrder {
  readonly url: string;
  /** neighbour.c's word. */
  readonly mode: string;
  readonly lanes: number;
  readonly limits: Limits;
}

/** How many ended by which verdict. */
export type NeighbourEnds = Readonly<Record<string, number>>;

/** Neighbours that go on until they are stopped. */
export class NeighbourLanes {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#child = child;
  }

  /** Resolves when they are about to begin. */
  static async start(order: NeighbourOrder): Promise<NeighbourLanes> {
    const child = spawn(process.execPath, [import.meta.filename, JSON.stringify(order)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
    return new NeighbourLanes(child);
  }

  /** Waits for those that run. */
  async stop(): Promise<NeighbourEnds> {
    this.#child.stdin.on('error', () => undefined).end();
    const told = await text(this.#child.stdout);
    if (told === '') throw new Error('the neighbours broke');
    return JSON.parse(told) as NeighbourEnds;
  }
}

async function beNeighbours({ url, mode, lanes, limits }: NeighbourOrder): Promise<void> {
  const pool = new Pool(url, { connections: lanes, pipelining: 1 });
  const program = await InstanceProgram.send(pool, 'neighbour');
  const ends: Record<string, number> = {};
  let isStopping = false;
  process.stdin.on('end', () => {
    isStopping = true;
  });
  process.stdin.resume();
  process.stdout.write('\n');
  const lane = async () => {
    while (!isStopping) {
      const { verdict } = await program.execute([mode], limits);
      const end = verdict ?? 'no verdict';
      ends[end] = (ends[end] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  await pool.close();
  process.stdout.write(JSON.stringify(ends));
}

if (import.meta.main) await beNeighbours(JSON.parse(process.argv[2] ?? '') as NeighbourOrder);
