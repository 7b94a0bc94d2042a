/**
 * Owns the PoolStore port over PostgreSQL. Never decides who may use a pool; the invariants are the port's.
 * A policy is kept as text: it is read whole or not at all.
 */
import type { PoolStore } from './pool-store.ts';
import type { PostgresDatabase } from './postgres-database.ts';
import { toPool } from './rows.ts';

/** Pools, in an open database. */
export function postgresPoolStore(database: PostgresDatabase): PoolStore {
  return {
    list: async () => (await database.read('SELECT name, owner, policy FROM pools ORDER BY name')).map(toPool),
    save: async ({ name, owner, policy }) => {
      const sql = `INSERT INTO pools AS known (name, owner, policy) VALUES ($1, $2, $3)
        ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, policy = excluded.policy
        WHERE known.owner IS NULL OR known.owner = excluded.owner RETURNING name`;
      return (await database.write(sql, [name, owner, policy === null ? null : JSON.stringify(policy)])).length > 0;
    },
  };
}
