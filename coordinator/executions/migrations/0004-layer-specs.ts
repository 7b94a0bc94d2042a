/**
 * Owns the fourth form of the SQLite database: what each layer of an environment is to be, beside where it stands. Never changed once released.
 * Rows of earlier forms say nothing: their environments are looked up again when they are next used.
 */

/** SQL of the migration. */
export const layerSpecs = `
ALTER TABLE environments ADD COLUMN specs TEXT NOT NULL DEFAULT '[]';
`;
