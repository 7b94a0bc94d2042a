/**
 * Owns the ShardStore port over the SQLite file, which has one member: whoever came last has every shard.
 * Never lets one who was replaced come back: a second process that was started by mistake would otherwise take turns with the first for ever.
 * Invariant: a new member's shards have epochs that no earlier one had.
 */
import { type ClusterView, type ShardLease, type ShardStore, toShardMoved } from './shard-store.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** SystemError `shard-moved` unless this lease is the present one; to be called within the write that it allows. */
export function assertLease(database: SqliteDatabase, { shard, epoch }: ShardLease): void {
  const sql = 'SELECT 1 FROM shards WHERE shard = ? AND epoch = ? AND holder IS NOT NULL';
  if (database.prepare(sql).get(shard, epoch) === undefined) throw toShardMoved({ shard, epoch });
}

function readView(database: SqliteDatabase, id: string): ClusterView {
  const members = database.prepare('SELECT id, url FROM members').all();
  const rows = database.prepare('SELECT shard, holder, epoch FROM shards ORDER BY shard').all();
  return {
    members: members.map((row) => ({ id: String(row['id']), url: String(row['url']) })),
    holders: rows.map(({ holder }) => (holder === null ? null : String(holder))),
    held: rows
      .filter(({ holder }) => holder === id)
      .map((row) => ({ shard: Number(row['shard']), epoch: Number(row['epoch']) })),
  };
}

/** Who answers for which tenants, in an open database. */
export function sqliteShardStore(database: SqliteDatabase): ShardStore {
  // Of this process: who is in here and not in the file was replaced by another process.
  const joined = new Set<string>();
  return {
    isShared: false,
    beat: async ({ id, url }, _ttlMs, released) => {
      const view = await database.write(() => {
        const present = database.prepare('SELECT id FROM members').get()?.['id'];
        if (present === id) {
          const renewal = database.prepare('UPDATE shards SET epoch = epoch + 1 WHERE shard = ?');
          for (const shard of released) renewal.run(shard);
        } else if (present === undefined || !joined.has(id)) {
          database.prepare('DELETE FROM members').run();
          database.prepare('INSERT INTO members VALUES (?, ?)').run(id, url);
          database.prepare('UPDATE shards SET holder = ?, epoch = epoch + 1').run(id);
        }
        return readView(database, id);
      });
      joined.add(id);
      return view;
    },
    leave: async (id) => {
      await database.write(() => {
        database.prepare('DELETE FROM members WHERE id = ?').run(id);
        database.prepare('UPDATE shards SET holder = NULL WHERE holder = ?').run(id);
      });
      joined.delete(id);
    },
  };
}
