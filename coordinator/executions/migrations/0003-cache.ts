/**
 * Owns the third form of the SQLite database: what is remembered about the cache. Never changed once released.
 * An agent of '' in a pin stands for all agents. Manifests are JSON as they were signed, for listing only.
 */

/** SQL of the migration. */
export const cache = `
CREATE TABLE revocations (
  sequence   INTEGER PRIMARY KEY AUTOINCREMENT,
  kind       TEXT NOT NULL,
  value      TEXT NOT NULL,
  is_fatal   INTEGER NOT NULL,
  reason     TEXT NOT NULL,
  revoked_at TEXT NOT NULL,
  UNIQUE (kind, value)
) STRICT;
CREATE TABLE layers (
  sequence     INTEGER PRIMARY KEY AUTOINCREMENT,
  object_key   TEXT NOT NULL UNIQUE,
  digest       TEXT NOT NULL,
  manifest     TEXT NOT NULL,
  last_used_at INTEGER NOT NULL
) STRICT;
CREATE INDEX layers_by_digest ON layers (digest);
CREATE INDEX layers_by_use ON layers (last_used_at);
CREATE TABLE pins (
  digest TEXT NOT NULL,
  agent  TEXT NOT NULL,
  PRIMARY KEY (digest, agent)
) STRICT, WITHOUT ROWID;
`;
