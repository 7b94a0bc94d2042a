/**
 * Owns the rivals of durable accepts: the same rows into a table of the same columns and indexes, each in a transaction of its own, as a program does it that
 * does not batch. Never less durable than ours: WAL and full sync on SQLite, synchronous_commit on PostgreSQL.
 */
import { DatabaseSync } from 'node:sqlite';
import { Pool } from 'pg';
import type { AcceptedExecution } from '../../coordinator/executions/state-store.ts';

/** How many connections the PostgreSQL rival has. */
export const CONNECTIONS = 32;

const table = (key: string) => `
  CREATE TABLE rival (sequence ${key}, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, request TEXT, answer TEXT NOT NULL);
  CREATE INDEX rival_by_tenant ON rival (tenant, sequence);
  CREATE INDEX rival_unfinished ON rival (sequence) WHERE request IS NOT NULL;`;

/** One way to insert. */
export interface InsertEach {
  insert(entry: AcceptedExecution): Promise<void>;
  stop(): Promise<void>;
}

const columns = ({ answer, tenantId, request }: AcceptedExecution) => [
  answer.id,
  tenantId,
  JSON.stringify(request),
  JSON.stringify(answer),
];

/** One commit for each row, in this process. */
export function insertEachIntoSqlite(path: string): InsertEach {
  const database = new DatabaseSync(path);
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
  database.exec(table('INTEGER PRIMARY KEY AUTOINCREMENT'));
  const statement = database.prepare('INSERT INTO rival (id, tenant, request, answer) VALUES (?, ?, ?, ?)');
  return {
    insert: async (entry) => void statement.run(...columns(entry)),
    stop: async () => database.close(),
  };
}

/** One commit for each row, on as many connections as there are callers, 32 at most. */
export async function insertEachIntoPostgres(url: string): Promise<InsertEach> {
  const pool = new Pool({ connectionString: url, max: CONNECTIONS });
  await pool.query(table('bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY'));
  const text = 'INSERT INTO rival (id, tenant, request, answer) VALUES ($1, $2, $3, $4)';
  return {
    insert: async (entry) => void (await pool.query({ name: 'insert', text, values: columns(entry) })),
    stop: () => pool.end(),
  };
}
