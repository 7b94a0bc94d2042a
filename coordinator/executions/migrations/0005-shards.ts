/**
 * Owns the fifth form of the SQLite database: who has which shard, under which epoch, and who is there. Never changed once released.
 * Every shard has a row from the beginning; a holder of NULL is nobody. There is at most one member.
 */

/** SQL of the migration. */
export const shards = `
CREATE TABLE members (
  id  TEXT PRIMARY KEY,
  url TEXT NOT NULL
) STRICT;
CREATE TABLE shards (
  shard  INTEGER PRIMARY KEY,
  holder TEXT,
  epoch  INTEGER NOT NULL
) STRICT;
WITH RECURSIVE numbers (number) AS (SELECT 0 UNION ALL SELECT number + 1 FROM numbers WHERE number < 63)
INSERT INTO shards SELECT number, NULL, 0 FROM numbers;
`;
