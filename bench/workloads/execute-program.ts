/**
 * Owns executions of the measured programs of bench/programs through an instance's HTTP API: each is sent once as a file and named after that.
 * Never judges an end: who asks does. Invariant: the program is byte for byte the one that rivals run.
 */
import { readFileSync } from 'node:fs';
import type { Pool } from 'undici';
import type { Execution } from '../../shared/model/execution.ts';
import type { Limits } from '../../shared/model/limits.ts';
import { compiledProgram } from './compiled-program.ts';

const json = { 'content-type': 'application/json' };

/** A measured program at an instance. */
export class InstanceProgram {
  readonly #pool: Pool;
  readonly #file: string;

  private constructor(pool: Pool, file: string) {
    this.#pool = pool;
    this.#file = file;
  }

  /** Sends `programs/<name>.c`, compiled. */
  static async send(pool: Pool, name: string): Promise<InstanceProgram> {
    const { statusCode, body } = await pool.request({
      method: 'POST',
      path: '/v1/files',
      body: readFileSync(compiledProgram(`programs/${name}.c`)),
      headers: { 'content-type': 'application/octet-stream' },
    });
    const { id } = (await body.json()) as { id?: string };
    if (id === undefined) throw new Error(`the file of ${name} was answered by ${statusCode}`);
    return new InstanceProgram(pool, id);
  }

  /** Runs it to its end. */
  async execute(parameters: readonly string[], limits: Limits = {}): Promise<Execution> {
    const request = {
      environment: {},
      files: [{ path: 'program', file: this.#file, executable: true }],
      // A shell that becomes it: as an interpreter of the script it would have the script's path for a word.
      run: { script: 'exec ./program "$@"', arguments: parameters, limits },
    };
    const { statusCode, body } = await this.#pool.request({
      method: 'POST',
      path: '/v1/executions?wait=true',
      body: JSON.stringify(request),
      headers: json,
    });
    const execution = (await body.json()) as Execution;
    if (statusCode !== 200) throw new Error(`${statusCode} for a program: ${JSON.stringify(execution)}`);
    return execution;
  }
}
