/**
 * Owns the ninth form of the SQLite database: files, and when executions ended. Never changed once released.
 * What had ended before counts as if it had ended when the database was brought to this form.
 */

/** SQL of the migration. */
export const files = `
CREATE TABLE files (
  sequence   INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant     TEXT NOT NULL,
  id         TEXT NOT NULL,
  sha256     TEXT NOT NULL,
  bytes      INTEGER NOT NULL,
  object_key TEXT NOT NULL UNIQUE,
  execution  TEXT,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  UNIQUE (tenant, id)
) STRICT;
CREATE INDEX files_by_tenant ON files (tenant, sequence);
CREATE INDEX files_by_expiry ON files (expires_at);
CREATE INDEX files_by_execution ON files (execution) WHERE execution IS NOT NULL;
ALTER TABLE executions ADD COLUMN finished_at INTEGER;
UPDATE executions SET finished_at = unixepoch() * 1000 WHERE is_finished = 1;
CREATE INDEX executions_by_end ON executions (finished_at) WHERE finished_at IS NOT NULL;
`;
