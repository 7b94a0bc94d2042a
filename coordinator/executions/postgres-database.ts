/**
 * Owns the connections to PostgreSQL: the pool, forward-only migrations, bounds of time, and telling every failure as `state-store-unavailable`.
 * Never interprets what is stored, and never tells what a statement carried or the password: of an error its sentence and SQLSTATE are kept.
 * Invariants: what is asked ends after at most `timeoutMs` for a connection and a second more for the statement; a statement whose outcome is
 * unknown is an error; after one the connection is closed, so that a server that came back is found by the next.
 */
import { Pool, type PoolClient } from 'pg';
import { SystemError } from '../../shared/errors.ts';
import { initial } from './postgres-migrations/0001-initial.ts';
import { pools } from './postgres-migrations/0002-pools.ts';
import { deliveries } from './postgres-migrations/0003-deliveries.ts';
import { tenants } from './postgres-migrations/0004-tenants.ts';
import { fromText, toText } from './postgres-text.ts';

/** What makes a database of form n out of one of form n - 1; the first stands at 0. */
export const postgresMigrations: readonly string[] = [initial, pools, deliveries, tenants];

/** How a database is reached. */
export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`, with the parameters that the driver knows, `sslmode` among them. */
  readonly url: string;
  readonly connectionsMax?: number;
  /** For a connection, and for a statement. */
  readonly timeoutMs?: number;
}

/** A row by its columns; bigint comes as text. */
export type PostgresRow = Readonly<Record<string, unknown>>;

/** Runs one statement within a transaction. */
export type Ask = (sql: string, values?: readonly unknown[]) => Promise<readonly PostgresRow[]>;

/** Of advisory locks of this program; the second number says of what. */
const LOCK_CLASS = 0x656e7669;
/** Advisory locks; each is held to the end of its transaction. */
export const advisoryLocks = { migrations: 1, membership: 2, enrolment: 3 } as const;

const MIGRATION_MS_MAX = 600_000;
const ATTEMPTS_MAX = 3;
/** Serialization failure, deadlock: nothing has happened, and again may go well. */
const passing = new Set(['40001', '40P01']);

// How many rows a batch has is not known when its plan is made, which is kept: a plan that is good for one row, or for tables that were empty then,
// would compare each with each. And statements are too short to be compiled.
const session = [
  'synchronous_commit = on',
  `default_transaction_isolation = 'read committed'`,
  'enable_seqscan = off',
  'enable_nestloop = off',
  'jit = off',
];

function nothing(): void {
  // Whoever asks next hears of it.
}

function unavailable(attempt: string, error: unknown): SystemError {
  if (error instanceof SystemError) return error;
  const { message, code } = error as { readonly message?: string; readonly code?: string };
  const said = [message, code && `(${code})`].filter(Boolean).join(' ');
  // Without its other fields: `detail` of a violated constraint has the row.
  const cause = Object.assign(new Error(said), { code });
  return new SystemError('state-store-unavailable', `${attempt}: ${said || String(error)}`, { cause });
}

/** The SQLSTATE that a failure was told with, or ''. */
export function sqlStateOf(error: unknown): string {
  const cause = error instanceof SystemError ? (error.cause as { readonly code?: string } | undefined) : undefined;
  return cause?.code ?? '';
}

/** One database of a server. */
export class PostgresDatabase {
  readonly #pool: Pool;
  readonly #names = new Map<string, string>();
  #closing: Promise<void> | null = null;

  /** Connects, and brings the database to the form of this release; SystemError `state-store-unavailable` when that fails or it is of a newer one. */
  static async open(options: PostgresOptions): Promise<PostgresDatabase> {
    const database = new PostgresDatabase(options);
    try {
      await database.#migrate();
      return database;
    } catch (error) {
      await database.close();
      throw unavailable('opening the database', error);
    }
  }

  private constructor({ url, connectionsMax = 10, timeoutMs = 5000 }: PostgresOptions) {
    // The driver takes any text for the name of a database on this machine.
    if (!/^postgres(ql)?:\/\//.test(url)) {
      throw new SystemError(
        'state-store-unavailable',
        'the database is not given as postgres://user:password@host:port/name',
      );
    }
    this.#pool = new Pool({
      connectionString: url,
      max: connectionsMax,
      application_name: 'envicutor',
      connectionTimeoutMillis: timeoutMs,
      statement_timeout: timeoutMs,
      idle_in_transaction_session_timeout: timeoutMs,
      // A second later than the server's own, which tells more; this one is for a server that says nothing.
      query_timeout: timeoutMs + 1000,
      keepAlive: true,
      onConnect: async (client) => {
        await client.query(session.map((setting) => `SET ${setting}`).join('; '));
      },
    });
    // An idle connection that breaks is replaced when it is needed.
    this.#pool.on('error', nothing);
  }

  async #migrate(): Promise<void> {
    await this.transaction('migrations', async (ask) => {
      const [setting] = await ask(`SELECT current_setting('server_encoding') AS encoding`);
      if (setting?.['encoding'] !== 'UTF8') {
        const detail = `the database is in ${setting?.['encoding']}; make one with ENCODING 'UTF8' and TEMPLATE template0`;
        throw new SystemError('state-store-unavailable', detail);
      }
      await ask('CREATE TABLE IF NOT EXISTS forms (form integer PRIMARY KEY)');
      const [row] = await ask('SELECT coalesce(max(form), 0) AS form FROM forms');
      const form = Number(row?.['form']);
      if (form > postgresMigrations.length) {
        const detail = `the database has form ${form}, this release knows ${postgresMigrations.length}; run a newer release`;
        throw new SystemError('state-store-unavailable', detail);
      }
      if (form < postgresMigrations.length) await ask(`SET LOCAL statement_timeout = ${MIGRATION_MS_MAX}`);
      for (const [index, sql] of postgresMigrations.slice(form).entries()) {
        await ask(sql);
        await ask(`INSERT INTO forms VALUES (${form + index + 1})`);
      }
    });
  }

  /** One statement that changes nothing. */
  async read(sql: string, values: readonly unknown[] = []): Promise<readonly PostgresRow[]> {
    try {
      return await this.#ask(this.#pool, sql, values);
    } catch (error) {
      throw unavailable('reading the database', error);
    }
  }

  /** One statement, committed when the promise resolves. */
  async write(sql: string, values: readonly unknown[] = []): Promise<readonly PostgresRow[]> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#ask(this.#pool, sql, values);
      } catch (error) {
        const failure = unavailable('writing the database', error);
        if (!passing.has(sqlStateOf(failure)) || attempt === ATTEMPTS_MAX) throw failure;
      }
    }
  }

  /** Several statements, one at a time in all processes; committed when the promise resolves, undone when `run` rejects. */
  async transaction<Value>(lock: keyof typeof advisoryLocks, run: (ask: Ask) => Promise<Value>): Promise<Value> {
    let client: PoolClient | null = null;
    try {
      client = await this.#pool.connect();
      // What breaks between two statements, most often while this process stood still, is told by the next one.
      client.on('error', nothing);
      const ask: Ask = (sql, values = []) => this.#ask(client as PoolClient, sql, values);
      await client.query('BEGIN');
      await client.query(`SELECT pg_advisory_xact_lock(${LOCK_CLASS}, ${advisoryLocks[lock]})`);
      const value = await run(ask);
      await client.query('COMMIT');
      client.off('error', nothing);
      client.release();
      return value;
    } catch (error) {
      // The server undoes what a lost connection began.
      client?.release(true);
      throw unavailable('writing the database', error);
    }
  }

  async #ask(on: Pool | PoolClient, sql: string, values: readonly unknown[]): Promise<readonly PostgresRow[]> {
    // Statements without values may be several at once, which can't be prepared, and have no rows together.
    const query =
      values.length === 0 ? { text: sql } : { name: this.#nameOf(sql), text: sql, values: values.map(toText) };
    const { rows = [] } = await on.query<Record<string, unknown>>(query);
    for (const row of rows) for (const column in row) row[column] = fromText(row[column]);
    return rows;
  }

  #nameOf(sql: string): string {
    const name = this.#names.get(sql) ?? `s${this.#names.size}`;
    this.#names.set(sql, name);
    return name;
  }

  /** Waits for what is under way and closes the connections; idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#pool.end();
    return this.#closing;
  }
}
