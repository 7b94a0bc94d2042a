/**
 * Owns the sixth form of the SQLite database: pools, their owners and policies, and tokens that are bound to one. Never changed once released.
 * An owner of NULL is the operator; a pool without a row is the operator's, too.
 */

/** SQL of the migration. */
export const pools = `
CREATE TABLE pools (
  name   TEXT PRIMARY KEY,
  owner  TEXT,
  policy TEXT
) STRICT;
INSERT INTO pools VALUES ('default', NULL, NULL);
ALTER TABLE enrolment_tokens ADD COLUMN pool TEXT;
`;
