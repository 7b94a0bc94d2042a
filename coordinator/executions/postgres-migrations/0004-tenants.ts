/**
 * Owns the fourth form of the PostgreSQL database: tenants and their keys, what they used in a day, and what operators did. Never changed once
 * released. Keys are digests; settings and scopes are JSON as text; an outcome of NULL is not known yet.
 */

/** SQL of the migration. */
export const tenants = `
CREATE TABLE tenants (
  id         text COLLATE "C" PRIMARY KEY,
  settings   text NOT NULL,
  created_at bigint NOT NULL
);
CREATE TABLE tenant_keys (
  id           text COLLATE "C" PRIMARY KEY,
  tenant       text COLLATE "C" NOT NULL,
  name         text NOT NULL,
  digest       text COLLATE "C" NOT NULL UNIQUE,
  scopes       text NOT NULL,
  created_at   bigint NOT NULL,
  expires_at   bigint,
  last_used_at bigint
);
CREATE INDEX tenant_keys_by_tenant ON tenant_keys (tenant);
CREATE TABLE tenants_version (
  is_only boolean PRIMARY KEY,
  version bigint NOT NULL
);
INSERT INTO tenants_version VALUES (true, 1);
CREATE TABLE usage_days (
  tenant       text COLLATE "C" NOT NULL,
  day          text COLLATE "C" NOT NULL,
  executions   bigint NOT NULL,
  cpu_ms       bigint NOT NULL,
  wall_ms      bigint NOT NULL,
  stored_bytes bigint NOT NULL,
  PRIMARY KEY (tenant, day)
);
CREATE TABLE usage_writers (
  writer     text COLLATE "C" PRIMARY KEY,
  number     bigint NOT NULL,
  written_at bigint NOT NULL
);
CREATE TABLE audit (
  sequence   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at         bigint NOT NULL,
  tenant     text COLLATE "C" NOT NULL,
  key        text NOT NULL,
  key_name   text NOT NULL,
  address    text NOT NULL,
  request_id text NOT NULL,
  action     text NOT NULL,
  target     text NOT NULL,
  detail     text NOT NULL,
  outcome    integer
);
CREATE INDEX audit_by_time ON audit (at);
`;
