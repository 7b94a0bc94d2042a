/**
 * Owns a real PostgreSQL on which several stores meet, and a connection of the test's own to hold locks and to see who waits for them.
 * Never waits for a clock: who waits for a lock is seen in the server. Invariant: everything is closed at the end.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { openPostgresStateStore } from '../../coordinator/executions/postgres-state-store.ts';
import type { StateStore } from '../../coordinator/executions/state-store.ts';
import { type PostgresServer, startPostgresServer } from '../../ops/postgres/private-postgres.ts';

/** One server; each test has a database of its own. */
export class PostgresStage {
  readonly server: PostgresServer;
  #count = 0;
  readonly #closed: (() => Promise<void>)[] = [];

  private constructor(server: PostgresServer) {
    this.server = server;
  }

  static async start(): Promise<PostgresStage> {
    return new PostgresStage(await startPostgresServer());
  }

  /** The URL of a new database. */
  createDatabase(): Promise<string> {
    this.#count += 1;
    return this.server.createDatabase(`test_${this.#count}`);
  }

  /** A coordinator's store. */
  async open(url: string, timeoutMs = 20_000): Promise<StateStore> {
    const store = await openPostgresStateStore({ url, timeoutMs });
    this.#closed.push(() => store.close());
    return store;
  }

  /** A connection for what no store does. */
  async connect(url: string): Promise<Client> {
    const client = new Client({ connectionString: url });
    client.on('error', () => undefined);
    await client.connect();
    this.#closed.push(() => client.end());
    return client;
  }

  /** Resolves when so many statements wait for a lock; not to be asked within a transaction, which sees what it saw first. */
  async untilBlocked(observer: Client, count: number): Promise<void> {
    const sql = `SELECT count(*)::integer AS count FROM pg_stat_activity WHERE wait_event_type = 'Lock'`;
    while ((await observer.query(sql)).rows[0]?.count !== count) await delay(5);
  }

  async stop(): Promise<void> {
    await Promise.allSettled(this.#closed.map((close) => close()));
    await this.server.stop();
  }
}
