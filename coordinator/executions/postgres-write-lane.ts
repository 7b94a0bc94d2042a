/**
 * Owns group commit on PostgreSQL: what arrives while a batch is under way goes into the next, one statement for each kind of write.
 * One batch at a time: so writes keep their order, and a shard's row has one locker (for several, PostgreSQL keeps lists that it must clean up).
 * Never decides what a statement does. Invariants: a kind that stands earlier in the list runs earlier within a batch; a write that the
 * database refuses for what is in it fails alone.
 */
import { SystemError } from '../../shared/errors.ts';
import { sqlStateOf } from './postgres-database.ts';

/** One statement for many writes: an answer or an error for each, in their order; rejects when all of them failed. */
export type BatchStatement<Write, Answer> = (writes: readonly Write[]) => Promise<readonly (Answer | Error)[]>;

interface Waiting {
  readonly statement: BatchStatement<never, unknown>;
  readonly write: unknown;
  readonly bytes: number;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

const BATCH_WRITES_MAX = 1000;
const BATCH_BYTES_MAX = 16 * 2 ** 20;
const WAITING_MAX = 50_000;
/** Requests are large, and come as fast as ever while the database is slow; one write is always taken. */
const WAITING_BYTES_MAX = 256 * 2 ** 20;

/** Classes of SQLSTATE that are about what a row holds: data exception, constraint, a limit of the server. */
const aboutRows = /^(22|23|54)/;

/** Writes in batches. */
export class WriteLane {
  readonly #order: readonly BatchStatement<never, unknown>[];
  #waiting: Waiting[] = [];
  /** Of writes that have no answer. */
  #bytes = 0;
  #running: Promise<void> | null = null;

  /** Of these kinds, the earlier first within a batch. */
  constructor(order: readonly BatchStatement<never, unknown>[]) {
    this.#order = order;
  }

  /** Puts a write into the next batch; `bytes` is roughly its size. */
  add<Write, Answer>(statement: BatchStatement<Write, Answer>, write: Write, bytes: number): Promise<Answer> {
    if (this.#waiting.length >= WAITING_MAX) {
      const detail = `writing the database: ${WAITING_MAX} writes wait for it already`;
      return Promise.reject(new SystemError('state-store-unavailable', detail));
    }
    if (this.#bytes > 0 && this.#bytes + bytes > WAITING_BYTES_MAX) {
      const detail = `writing the database: writes of ${this.#bytes} bytes wait for it already`;
      return Promise.reject(new SystemError('state-store-unavailable', detail));
    }
    this.#bytes += bytes;
    return new Promise<Answer>((resolve, reject) => {
      this.#waiting.push({ statement, write, bytes, resolve: resolve as (answer: unknown) => void, reject });
      this.#running ??= this.#run();
    }).finally(() => {
      this.#bytes -= bytes;
    });
  }

  /** Resolves when nothing waits. */
  async drain(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  async #run(): Promise<void> {
    // What is asked for in the same turn belongs into the first batch, too.
    await new Promise(setImmediate);
    while (this.#waiting.length > 0) {
      const batch = this.#take();
      for (const statement of this.#order) {
        const writes = batch.filter((waiting) => waiting.statement === statement);
        if (writes.length > 0) await this.#write(statement, writes);
      }
    }
    this.#running = null;
  }

  /** The longest that is within the bounds: a part of the order, so that nobody's later write overtakes an earlier one. */
  #take(): readonly Waiting[] {
    let bytes = 0;
    const beyond = this.#waiting.findIndex((waiting, index) => {
      bytes += waiting.bytes;
      return index > 0 && (index >= BATCH_WRITES_MAX || bytes > BATCH_BYTES_MAX);
    });
    return this.#waiting.splice(0, beyond === -1 ? this.#waiting.length : beyond);
  }

  async #write(statement: BatchStatement<never, unknown>, batch: readonly Waiting[]): Promise<void> {
    try {
      const answers = await statement(batch.map(({ write }) => write as never));
      for (const [index, { resolve, reject }] of batch.entries()) {
        const answer = answers[index];
        if (answer instanceof Error) reject(answer);
        else resolve(answer);
      }
    } catch (error) {
      if (batch.length > 1 && aboutRows.test(sqlStateOf(error))) {
        for (const one of batch) await this.#write(statement, [one]);
      } else {
        for (const { reject } of batch) reject(error);
      }
    }
  }
}
