/**
 * Owns the PoolStore port over the SQLite file. Never decides who may use a pool; the invariants are the port's.
 * A policy is kept as JSON: it is read whole or not at all.
 */
import type { PoolStore } from './pool-store.ts';
import { toPool } from './rows.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** Pools, in an open database. */
export function sqlitePoolStore(database: SqliteDatabase): PoolStore {
  return {
    list: () =>
      database.read(() => database.prepare('SELECT name, owner, policy FROM pools ORDER BY name').all().map(toPool)),
    save: ({ name, owner, policy }) =>
      database.write(() => {
        const sql = `INSERT INTO pools (name, owner, policy) VALUES (?, ?, ?)
          ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, policy = excluded.policy
          WHERE owner IS NULL OR owner = excluded.owner`;
        const changed = database.prepare(sql).run(name, owner, policy === null ? null : JSON.stringify(policy));
        return changed.changes > 0;
      }),
  };
}
