/**
 * Owns the second form of the SQLite database: what builds of a tenant used in a UTC day. Never changed once released.
 * A day is text (`2026-11-28`), amounts are sums.
 */

/** SQL of the migration. */
export const buildUsage = `
CREATE TABLE build_usage (
  tenant          TEXT NOT NULL,
  day             TEXT NOT NULL,
  egress_bytes    INTEGER NOT NULL,
  egress_requests INTEGER NOT NULL,
  build_ms        INTEGER NOT NULL,
  PRIMARY KEY (tenant, day)
) STRICT, WITHOUT ROWID;
`;
