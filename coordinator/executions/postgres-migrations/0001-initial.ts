/**
 * Owns the first form of the PostgreSQL database. Never changed once released: a new form is a new migration.
 * `sequence` orders listings and has no index of its own, so that no plan walks all tenants to find one; what is compared is in byte order
 * (COLLATE "C"), which no update of the operating system changes; JSON is text, since jsonb can't hold what a program may print (a zero).
 * An unfinished execution is the one that has a request; who finishes it asks for is_finished, so that no plan reads all that a shard has unfinished.
 * Every shard has a row from the beginning; a holder of NULL is nobody. An agent of '' in a pin stands for all agents.
 */

/** SQL of the migration. */
export const initial = `
CREATE TABLE members (
  id         text COLLATE "C" PRIMARY KEY,
  url        text NOT NULL,
  joined_at  timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE TABLE shards (
  shard  integer PRIMARY KEY,
  holder text COLLATE "C",
  epoch  bigint NOT NULL
);
INSERT INTO shards SELECT number, NULL, 0 FROM generate_series(0, 63) AS numbers (number);
CREATE TABLE executions (
  id          text COLLATE "C" PRIMARY KEY,
  sequence    bigint GENERATED ALWAYS AS IDENTITY,
  tenant      text COLLATE "C" NOT NULL,
  shard       integer NOT NULL,
  is_finished boolean NOT NULL DEFAULT false,
  request     text,
  answer      text NOT NULL
);
CREATE INDEX executions_by_tenant ON executions (tenant, sequence);
CREATE INDEX executions_unfinished ON executions (shard, sequence) WHERE request IS NOT NULL;
CREATE TABLE idempotency_keys (
  tenant      text COLLATE "C" NOT NULL,
  key         text COLLATE "C" NOT NULL,
  body_digest text NOT NULL,
  execution   text COLLATE "C" NOT NULL,
  expires_at  bigint NOT NULL,
  PRIMARY KEY (tenant, key)
);
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);
CREATE TABLE environments (
  tenant      text COLLATE "C" NOT NULL,
  id          text COLLATE "C" NOT NULL,
  sequence    bigint GENERATED ALWAYS AS IDENTITY,
  shard       integer NOT NULL,
  request     text NOT NULL,
  state       text COLLATE "C" NOT NULL,
  answer      text NOT NULL,
  manifests   text NOT NULL,
  specs       text NOT NULL,
  fingerprint text NOT NULL,
  PRIMARY KEY (tenant, id)
);
CREATE INDEX environments_by_tenant ON environments (tenant, sequence);
CREATE INDEX environments_unfinished ON environments (shard, sequence) WHERE state NOT IN ('ready', 'failed');
CREATE TABLE agents (
  id          text COLLATE "C" PRIMARY KEY,
  name        text NOT NULL,
  public_key  text COLLATE "C" NOT NULL UNIQUE,
  pool        text NOT NULL,
  enrolled_at bigint NOT NULL,
  is_draining boolean NOT NULL
);
CREATE TABLE enrolment_tokens (
  digest     text COLLATE "C" PRIMARY KEY,
  expires_at bigint NOT NULL
);
CREATE TABLE build_usage (
  tenant          text COLLATE "C" NOT NULL,
  day             text COLLATE "C" NOT NULL,
  egress_bytes    bigint NOT NULL,
  egress_requests bigint NOT NULL,
  build_ms        bigint NOT NULL,
  PRIMARY KEY (tenant, day)
);
CREATE TABLE revocations (
  kind       text COLLATE "C" NOT NULL,
  value      text COLLATE "C" NOT NULL,
  sequence   bigint GENERATED ALWAYS AS IDENTITY,
  is_fatal   boolean NOT NULL,
  reason     text NOT NULL,
  revoked_at text NOT NULL,
  PRIMARY KEY (kind, value)
);
CREATE TABLE layers (
  object_key   text COLLATE "C" PRIMARY KEY,
  sequence     bigint GENERATED ALWAYS AS IDENTITY,
  digest       text COLLATE "C" NOT NULL,
  manifest     text NOT NULL,
  last_used_at bigint NOT NULL
);
CREATE INDEX layers_by_sequence ON layers (sequence);
CREATE INDEX layers_by_digest ON layers (digest);
CREATE INDEX layers_by_use ON layers (last_used_at, sequence);
CREATE TABLE pins (
  digest text COLLATE "C" NOT NULL,
  agent  text COLLATE "C" NOT NULL,
  PRIMARY KEY (digest, agent)
);
CREATE TABLE checks (
  is_only    boolean PRIMARY KEY,
  checked_at timestamptz NOT NULL
);
`;
