/**
 * Owns copies of the SQLite file: one read transaction writes all of it anew, while coordinators go on writing theirs.
 * Never copies the file itself, which is not whole without its log; what was deleted is in no copy.
 */
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SystemError } from '../../shared/errors.ts';
import { sqliteMigrations } from '../executions/sqlite-database.ts';
import { syncFolder } from './copied-file.ts';
import type { DatabaseCopies } from './database-copies.ts';

/** Copies of the database of this path. */
export class SqliteCopies implements DatabaseCopies {
  readonly engine = 'sqlite';
  readonly formKnown = sqliteMigrations.length;
  readonly fileName = 'coordinator.sqlite';
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async save(path: string): Promise<void> {
    if (!existsSync(this.#path)) {
      throw unavailable(
        `there is no database ${this.#path} to back up; set ENVICUTOR_STATE_DIRECTORY to where the coordinator keeps its state`,
      );
    }
    // Made here, so that nobody else may read it; SQLite takes an empty file for a new one.
    const made = await open(path, 'wx', 0o600);
    try {
      const database = new DatabaseSync(this.#path, { readOnly: true });
      try {
        database.exec('PRAGMA busy_timeout = 5000');
        database.prepare('VACUUM INTO ?').run(path);
      } finally {
        database.close();
      }
      await made.sync();
    } catch (cause) {
      throw unavailable(`copying the database ${this.#path}: ${messageOf(cause)}`, cause);
    } finally {
      await made.close();
    }
  }

  async formOf(path: string): Promise<number> {
    try {
      const database = new DatabaseSync(path, { readOnly: true });
      try {
        const said = database.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
        if (said !== 'ok') throw new Error(String(said));
        return Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
      } finally {
        database.close();
      }
    } catch (cause) {
      throw new SystemError('file-corrupt', `${path} is no whole database: ${messageOf(cause)}; use another backup`, {
        cause,
      });
    }
  }

  isEmpty(): Promise<boolean> {
    return Promise.resolve(!existsSync(this.#path));
  }

  async restore(path: string): Promise<void> {
    const folder = dirname(this.#path);
    const aside = `${this.#path}.incoming`;
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await copyFile(path, aside);
      await chmod(aside, 0o600);
      const handle = await open(aside, 'r');
      await handle.sync().finally(() => handle.close());
      await rename(aside, this.#path);
      await syncFolder(folder);
    } catch (cause) {
      throw unavailable(`restoring the database ${this.#path}: ${messageOf(cause)}`, cause);
    }
  }
}

const messageOf = (cause: unknown) => (cause instanceof Error ? cause.message : String(cause));

function unavailable(sentence: string, cause?: unknown): SystemError {
  return new SystemError('state-store-unavailable', sentence, { cause });
}
