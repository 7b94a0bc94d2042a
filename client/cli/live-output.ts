/**
 * Owns a program's output on its way to ours: as it comes, byte by byte, and at the end whatever has not come that way.
 * Never decodes a byte. Invariant: what is written of each stream is a beginning of what the program wrote, without a gap, and at its end all that is kept of it.
 */
import type { Execution } from '../../shared/model/execution.ts';
import type { ExecutionEvent } from '../typescript/events.ts';
import { toOutputBytes, toReportBytes } from '../typescript/output-bytes.ts';
import { type Surroundings, writeAll } from './surroundings.ts';

const streams = ['stdout', 'stderr'] as const;

/** See the head of this file. */
export class LiveOutput {
  readonly #surroundings: Pick<Surroundings, 'stdout' | 'stderr'>;
  readonly #written = { compile: { stdout: 0, stderr: 0 }, run: { stdout: 0, stderr: 0 } };
  /** Something between was forgotten before we came: the rest comes with the answer. */
  #isBroken = false;

  constructor(surroundings: Pick<Surroundings, 'stdout' | 'stderr'>) {
    this.#surroundings = surroundings;
  }

  /** Takes an event; resolves when its bytes are on their way. */
  async hear(event: ExecutionEvent): Promise<void> {
    if (event.type === 'forgotten') this.#isBroken = true;
    // It begins anew on another machine: what was written can't be taken back.
    if (event.type === 'stage' && event.data.cause === 'requeued') this.#reset();
    if (event.type !== 'stdout' && event.type !== 'stderr') return;
    if (this.#isBroken) return;
    const bytes = toOutputBytes(event.data);
    await this.#write(event.data.script, event.type, bytes);
  }

  #reset(): void {
    for (const counts of Object.values(this.#written)) Object.assign(counts, { stdout: 0, stderr: 0 });
    this.#isBroken = false;
  }

  /** A compiler speaks to people: all that it says goes to standard error. */
  async #write(script: 'compile' | 'run', stream: 'stdout' | 'stderr', bytes: Uint8Array): Promise<void> {
    this.#written[script][stream] += bytes.length;
    await writeAll(this.#surroundings[script === 'compile' ? 'stderr' : stream], bytes);
  }

  /** Writes what the answer has and no event brought. */
  async finish(execution: Execution): Promise<void> {
    for (const script of ['compile', 'run'] as const) {
      const report = execution[script];
      if (report === null) continue;
      for (const stream of streams) {
        const rest = toReportBytes(report, stream).subarray(this.#written[script][stream]);
        if (rest.length > 0) await this.#write(script, stream, rest);
      }
    }
  }
}
