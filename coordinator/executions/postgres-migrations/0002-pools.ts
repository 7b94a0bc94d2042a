/**
 * Owns the second form of the PostgreSQL database: pools, their owners and policies, and tokens that are bound to one. Never changed once released.
 * An owner of NULL is the operator; a pool without a row is the operator's, too.
 */

/** SQL of the migration. */
export const pools = `
CREATE TABLE pools (
  name   text COLLATE "C" PRIMARY KEY,
  owner  text COLLATE "C",
  policy text
);
INSERT INTO pools VALUES ('default', NULL, NULL);
ALTER TABLE enrolment_tokens ADD COLUMN pool text COLLATE "C";
`;
