/**
 * Owns the fifth form of the PostgreSQL database: files, and when executions ended. Never changed once released.
 * What had ended before counts as if it had ended when the database was brought to this form; so does what a coordinator of the release before ends
 * while both are there: it writes no time, and the trigger writes the server's.
 */

/** SQL of the migration. */
export const files = `
CREATE TABLE files (
  tenant     text COLLATE "C" NOT NULL,
  id         text COLLATE "C" NOT NULL,
  sequence   bigint GENERATED ALWAYS AS IDENTITY,
  shard      integer NOT NULL,
  sha256     text NOT NULL,
  bytes      bigint NOT NULL,
  object_key text COLLATE "C" NOT NULL UNIQUE,
  execution  text COLLATE "C",
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  PRIMARY KEY (tenant, id)
);
CREATE INDEX files_by_tenant ON files (tenant, sequence);
CREATE INDEX files_by_expiry ON files (expires_at);
CREATE INDEX files_by_execution ON files (execution) WHERE execution IS NOT NULL;
ALTER TABLE executions ADD COLUMN finished_at bigint;
UPDATE executions SET finished_at = (extract(epoch FROM clock_timestamp()) * 1000)::bigint WHERE request IS NULL;
CREATE INDEX executions_by_end ON executions (finished_at) WHERE finished_at IS NOT NULL;
CREATE FUNCTION executions_end() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  NEW.finished_at := (extract(epoch FROM clock_timestamp()) * 1000)::bigint;
  RETURN NEW;
END $$;
CREATE TRIGGER executions_end BEFORE INSERT OR UPDATE ON executions FOR EACH ROW
  WHEN (NEW.request IS NULL AND NEW.finished_at IS NULL) EXECUTE FUNCTION executions_end();
`;
