/**
 * Owns the first form of the SQLite database. Never changed once released: a new form is a new migration.
 * `sequence` orders listings; answers and requests are JSON as the API carries them.
 */

/** SQL of the migration. */
export const initial = `
CREATE TABLE executions (
  sequence    INTEGER PRIMARY KEY AUTOINCREMENT,
  id          TEXT NOT NULL UNIQUE,
  tenant      TEXT NOT NULL,
  is_finished INTEGER NOT NULL,
  request     TEXT,
  answer      TEXT NOT NULL
) STRICT;
CREATE INDEX executions_by_tenant ON executions (tenant, sequence);
CREATE INDEX executions_unfinished ON executions (sequence) WHERE is_finished = 0;
CREATE TABLE idempotency_keys (
  tenant      TEXT NOT NULL,
  key         TEXT NOT NULL,
  body_digest TEXT NOT NULL,
  execution   TEXT NOT NULL,
  expires_at  INTEGER NOT NULL,
  PRIMARY KEY (tenant, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);
CREATE TABLE environments (
  sequence    INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant      TEXT NOT NULL,
  id          TEXT NOT NULL,
  request     TEXT NOT NULL,
  state       TEXT NOT NULL,
  answer      TEXT NOT NULL,
  manifests   TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  UNIQUE (tenant, id)
) STRICT;
CREATE TABLE agents (
  id          TEXT PRIMARY KEY,
  name        TEXT NOT NULL,
  public_key  TEXT NOT NULL UNIQUE,
  pool        TEXT NOT NULL,
  enrolled_at INTEGER NOT NULL,
  is_draining INTEGER NOT NULL
) STRICT;
CREATE TABLE enrolment_tokens (
  digest      TEXT PRIMARY KEY,
  expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`;
