/**
 * Owns the eighth form of the SQLite database: tenants and their keys, what they used in a day, and what operators did. Never changed once released.
 * Keys are digests; settings and scopes are JSON; an outcome of NULL is not known yet.
 */

/** SQL of the migration. */
export const tenants = `
CREATE TABLE tenants (
  id         TEXT PRIMARY KEY,
  settings   TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE tenant_keys (
  id           TEXT PRIMARY KEY,
  tenant       TEXT NOT NULL,
  name         TEXT NOT NULL,
  digest       TEXT NOT NULL UNIQUE,
  scopes       TEXT NOT NULL,
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER,
  last_used_at INTEGER
) STRICT;
CREATE INDEX tenant_keys_by_tenant ON tenant_keys (tenant);
CREATE TABLE tenants_version (version INTEGER NOT NULL) STRICT;
INSERT INTO tenants_version VALUES (1);
CREATE TABLE usage_days (
  tenant       TEXT NOT NULL,
  day          TEXT NOT NULL,
  executions   INTEGER NOT NULL,
  cpu_ms       INTEGER NOT NULL,
  wall_ms      INTEGER NOT NULL,
  stored_bytes INTEGER NOT NULL,
  PRIMARY KEY (tenant, day)
) STRICT, WITHOUT ROWID;
CREATE TABLE usage_writers (
  writer     TEXT PRIMARY KEY,
  number     INTEGER NOT NULL,
  written_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE audit (
  sequence   INTEGER PRIMARY KEY AUTOINCREMENT,
  at         INTEGER NOT NULL,
  tenant     TEXT NOT NULL,
  key        TEXT NOT NULL,
  key_name   TEXT NOT NULL,
  address    TEXT NOT NULL,
  request_id TEXT NOT NULL,
  action     TEXT NOT NULL,
  target     TEXT NOT NULL,
  detail     TEXT NOT NULL,
  outcome    INTEGER
) STRICT;
CREATE INDEX audit_by_time ON audit (at);
`;
