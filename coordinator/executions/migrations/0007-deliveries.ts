/**
 * Owns the seventh form of the SQLite database: keys of whole batches, and webhooks: what is to be delivered, under which generation of a tenant's
 * secret. Never changed once released.
 * `next_at` is null in a delivery that is over; `round` is how many attempts there were before it was last begun or replayed, which is at `begun_at`. A
 * tenant without a row has generation 1. Times are milliseconds since 1970.
 */

/** SQL of the migration. */
export const deliveries = `
ALTER TABLE idempotency_keys ADD COLUMN executions TEXT;
CREATE TABLE deliveries (
  sequence    INTEGER PRIMARY KEY AUTOINCREMENT,
  id          TEXT NOT NULL UNIQUE,
  tenant      TEXT NOT NULL,
  shard       INTEGER NOT NULL,
  execution   TEXT NOT NULL,
  event       TEXT NOT NULL,
  url         TEXT NOT NULL,
  host        TEXT NOT NULL,
  state       TEXT NOT NULL,
  attempts    INTEGER NOT NULL,
  round       INTEGER NOT NULL,
  created_at  INTEGER NOT NULL,
  begun_at    INTEGER NOT NULL,
  next_at     INTEGER,
  last_at     INTEGER,
  last_status INTEGER,
  last_error  TEXT
) STRICT;
CREATE INDEX deliveries_by_tenant ON deliveries (tenant, sequence);
CREATE INDEX deliveries_by_execution ON deliveries (execution);
CREATE INDEX deliveries_waiting ON deliveries (next_at, shard, tenant, host, id) WHERE next_at IS NOT NULL;
CREATE INDEX deliveries_over ON deliveries (shard, last_at) WHERE next_at IS NULL;
CREATE TABLE webhook_secrets (
  tenant     TEXT PRIMARY KEY,
  generation INTEGER NOT NULL,
  rotated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`;
