/**
 * Owns the ShardStore port over PostgreSQL: members with their time, and who has which shard under which epoch.
 * Never decides by a coordinator's clock. Invariants: memberships change one at a time, so they can't deadlock; a shard's row is changed only
 * when its holder changes, in order of shards, which is the order in which writes lock them; a write that locked the row before is
 * waited for, one that comes later sees the new epoch.
 */
import type { Ask, PostgresDatabase, PostgresRow } from './postgres-database.ts';
import { type Member, SHARDS, type ShardLease, type ShardStore } from './shard-store.ts';

interface ShardRow extends ShardLease {
  readonly holder: string | null;
}

const toShardRow = (row: PostgresRow): ShardRow => ({
  shard: Number(row['shard']),
  epoch: Number(row['epoch']),
  holder: row['holder'] === null ? null : String(row['holder']),
});

const toMember = (row: PostgresRow): Member => ({ id: String(row['id']), url: String(row['url']) });

/** Who has what when those who are not there, and what this member gives up, are free, and this member has taken its part. */
function share(
  rows: readonly ShardRow[],
  id: string,
  present: ReadonlySet<string>,
  released: readonly number[],
): ShardRow[] {
  const isFree = ({ shard, holder }: ShardRow) =>
    holder === null || !present.has(holder) || (holder === id && released.includes(shard));
  const members = present.has(id) ? present.size : present.size + 1;
  let room = Math.ceil(SHARDS / members) - rows.filter((row) => row.holder === id && !isFree(row)).length;
  return rows.map((row) => {
    if (!isFree(row)) return row;
    room -= 1;
    if (room >= 0) return { ...row, holder: id, epoch: row.epoch + 1 };
    return row.holder === null ? row : { ...row, holder: null };
  });
}

async function changeHolders(ask: Ask, rows: readonly ShardRow[]): Promise<void> {
  if (rows.length === 0) return;
  const shards = rows.map(({ shard }) => shard);
  // Waits for the writes under way; an UPDATE alone would lock in whatever order it finds the rows.
  await ask('SELECT shard FROM shards WHERE shard = ANY ($1::integer[]) ORDER BY shard FOR NO KEY UPDATE', [shards]);
  await ask(
    `UPDATE shards SET holder = change.holder, epoch = change.epoch
     FROM unnest($1::integer[], $2::text[], $3::bigint[]) AS change (shard, holder, epoch) WHERE shards.shard = change.shard`,
    [shards, rows.map(({ holder }) => holder), rows.map(({ epoch }) => epoch)],
  );
}

const readShards = async (ask: Ask) =>
  (await ask('SELECT shard, holder, epoch FROM shards ORDER BY shard')).map(toShardRow);

/** Who answers for which tenants, in an open database. */
export function postgresShardStore(database: PostgresDatabase): ShardStore {
  return {
    isShared: true,
    beat: ({ id, url }, ttlMs, released) =>
      database.transaction('membership', async (ask) => {
        const over = await ask('DELETE FROM members WHERE expires_at <= clock_timestamp() RETURNING id');
        await ask(
          `INSERT INTO members (id, url, joined_at, expires_at)
           VALUES ($1, $2, clock_timestamp(), clock_timestamp() + $3 * interval '1 millisecond')
           ON CONFLICT (id) DO UPDATE SET url = excluded.url, expires_at = excluded.expires_at`,
          [id, url, ttlMs],
        );
        const members = (await ask('SELECT id, url FROM members ORDER BY joined_at, id')).map(toMember);
        const present = new Set(members.map((member) => member.id));
        // Whose own time was over comes back with nothing, whoever notices it.
        for (const row of over) present.delete(String(row['id']));
        const before = await readShards(ask);
        const now = share(before, id, present, released);
        await changeHolders(
          ask,
          now.filter((row, index) => row !== before[index]),
        );
        return {
          members,
          holders: now.map(({ holder }) => holder),
          held: now.filter(({ holder }) => holder === id).map(({ shard, epoch }) => ({ shard, epoch })),
        };
      }),
    leave: (id) =>
      database.transaction('membership', async (ask) => {
        await ask('DELETE FROM members WHERE id = $1', [id]);
        const had = (await readShards(ask)).filter(({ holder }) => holder === id);
        await changeHolders(
          ask,
          had.map((row) => ({ ...row, holder: null })),
        );
      }),
  };
}
