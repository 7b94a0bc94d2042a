/**
 * Owns the third form of the PostgreSQL database: keys of whole batches, and webhooks: what is to be delivered, under which generation of a tenant's
 * secret. Never changed once released.
 * `next_at` is null in a delivery that is over; `round` is how many attempts there were before it was last begun or replayed, which is at `begun_at`. A
 * tenant without a row has generation 1. Times are milliseconds since 1970.
 */

/** SQL of the migration. */
export const deliveries = `
ALTER TABLE idempotency_keys ADD COLUMN executions text;
CREATE TABLE deliveries (
  id          text COLLATE "C" PRIMARY KEY,
  sequence    bigint GENERATED ALWAYS AS IDENTITY,
  tenant      text COLLATE "C" NOT NULL,
  shard       integer NOT NULL,
  execution   text COLLATE "C" NOT NULL,
  event       text NOT NULL,
  url         text NOT NULL,
  host        text COLLATE "C" NOT NULL,
  state       text COLLATE "C" NOT NULL,
  attempts    integer NOT NULL,
  round       integer NOT NULL,
  created_at  bigint NOT NULL,
  begun_at    bigint NOT NULL,
  next_at     bigint,
  last_at     bigint,
  last_status integer,
  last_error  text
);
CREATE INDEX deliveries_by_tenant ON deliveries (tenant, sequence);
CREATE INDEX deliveries_by_execution ON deliveries (execution);
CREATE INDEX deliveries_waiting ON deliveries (next_at, shard) INCLUDE (tenant, host, id) WHERE next_at IS NOT NULL;
CREATE INDEX deliveries_over ON deliveries (shard, last_at) WHERE next_at IS NULL;
CREATE TABLE webhook_secrets (
  tenant     text COLLATE "C" PRIMARY KEY,
  generation integer NOT NULL,
  rotated_at bigint NOT NULL
);
`;
