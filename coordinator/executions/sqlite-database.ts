/**
 * Owns the SQLite file: opening it, forward-only migrations, and group commit: writes asked for in one turn of the event loop share one
 * transaction and one fsync. Never interprets what is stored.
 * Invariants: a write's promise resolves after the commit (WAL, synchronous=FULL); a write that throws undoes only itself.
 */
import { AssertionError } from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { SystemError } from '../../shared/errors.ts';
import { initial } from './migrations/0001-initial.ts';
import { buildUsage } from './migrations/0002-build-usage.ts';
import { cache } from './migrations/0003-cache.ts';
import { layerSpecs } from './migrations/0004-layer-specs.ts';
import { shards } from './migrations/0005-shards.ts';
import { pools } from './migrations/0006-pools.ts';
import { deliveries } from './migrations/0007-deliveries.ts';
import { tenants } from './migrations/0008-tenants.ts';

/** What makes a database of form n out of one of form n - 1; the first stands at 0. */
export const sqliteMigrations: readonly string[] = [
  ...[initial, buildUsage, cache, layerSpecs, shards, pools],
  ...[deliveries, tenants],
];

interface PendingWrite {
  readonly run: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

function unavailable(attempt: string, cause: unknown): SystemError {
  const said = cause instanceof Error ? cause.message : String(cause);
  return new SystemError('state-store-unavailable', `${attempt}: ${said}`, { cause });
}

/** One open database file. */
export class SqliteDatabase {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #pending: PendingWrite[] = [];

  /** Opens or makes the file; SystemError `state-store-unavailable` when that fails or it is of a newer release. */
  constructor(path: string) {
    try {
      // Made here: SQLite would leave who may read it to the umask. Its other files take after this one.
      closeSync(openSync(path, 'a', 0o600));
      this.#database = new DatabaseSync(path);
      this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000;');
      this.#migrate();
    } catch (cause) {
      throw cause instanceof SystemError ? cause : unavailable(`opening the database ${path}`, cause);
    }
  }

  #migrate(): void {
    const version = Number(this.#database.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
    if (version > sqliteMigrations.length) {
      throw new SystemError(
        'state-store-unavailable',
        `the database has form ${version}, this release knows ${sqliteMigrations.length}; run a newer release`,
      );
    }
    for (const [index, sql] of sqliteMigrations.slice(version).entries()) {
      this.#database.exec(`BEGIN IMMEDIATE; ${sql} PRAGMA user_version = ${version + index + 1}; COMMIT;`);
    }
  }

  /** A prepared statement, kept for the next time. */
  prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** Runs a read; SystemError when it fails. */
  read<Value>(run: () => Value): Promise<Value> {
    try {
      return Promise.resolve(run());
    } catch (cause) {
      return Promise.reject(unavailable('reading the database', cause));
    }
  }

  /** Runs a write within the next group commit. */
  write<Value>(run: () => Value): Promise<Value> {
    if (!this.#database.isOpen) return Promise.reject(unavailable('writing the database', 'it is closed'));
    return new Promise((resolve, reject) => {
      if (this.#pending.length === 0) setImmediate(() => this.#flush());
      this.#pending.push({ run, resolve: resolve as (value: unknown) => void, reject });
    });
  }

  #flush(): void {
    const writes = this.#pending;
    if (writes.length === 0) return;
    this.#pending = [];
    const done: (() => void)[] = [];
    try {
      this.#database.exec('BEGIN IMMEDIATE');
      for (const write of writes) done.push(this.#runOne(write));
      this.#database.exec('COMMIT');
    } catch (cause) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      for (const write of writes) write.reject(unavailable('writing the database', cause));
      return;
    }
    for (const settle of done) settle();
  }

  #runOne(write: PendingWrite): () => void {
    this.#database.exec('SAVEPOINT one');
    try {
      const value = write.run();
      this.#database.exec('RELEASE one');
      return () => write.resolve(value);
    } catch (cause) {
      this.#database.exec('ROLLBACK TO one; RELEASE one');
      const isOurs = cause instanceof SystemError || cause instanceof AssertionError;
      return () => write.reject(isOurs ? cause : unavailable('writing the database', cause));
    }
  }

  /** Commits what waits and closes the file; idempotent. */
  close(): void {
    if (!this.#database.isOpen) return;
    this.#flush();
    this.#statements.clear();
    this.#database.close();
  }
}
