/**
 * Owns the CacheStore port over PostgreSQL: revocations, recorded layers, pins. Never interprets a manifest.
 * Invariant: several at once are one statement, so that they are all there or none.
 */
import type { CacheStore, Pin } from './cache-store.ts';
import type { PostgresDatabase } from './postgres-database.ts';
import { toLayer, toPage, toPin, toRevocation } from './rows.ts';

type Revocations = Pick<CacheStore, 'revoke' | 'revocations'>;
type Layers = Pick<CacheStore, 'record' | 'layers' | 'layersOf' | 'unused' | 'used' | 'forget'>;
type Pins = Pick<CacheStore, 'pin' | 'unpin' | 'pins'>;

function revocationStore(database: PostgresDatabase): Revocations {
  return {
    revoke: async (revocations) => {
      await database.write(
        `WITH given AS (
           SELECT * FROM unnest($1::text[], $2::text[], $3::boolean[], $4::text[], $5::text[])
             WITH ORDINALITY AS given (kind, value, is_fatal, reason, revoked_at, position)
         ), first AS (
           SELECT DISTINCT ON (kind, value) kind, value, bool_or(is_fatal) OVER (PARTITION BY kind, value) AS is_fatal,
             reason, revoked_at, position FROM given ORDER BY kind, value, position
         )
         INSERT INTO revocations AS known (kind, value, is_fatal, reason, revoked_at)
         SELECT kind, value, is_fatal, reason, revoked_at FROM first ORDER BY position
         ON CONFLICT (kind, value) DO UPDATE SET is_fatal = known.is_fatal OR excluded.is_fatal`,
        [
          revocations.map(({ kind }) => kind),
          revocations.map(({ value }) => value),
          revocations.map(({ isFatal }) => isFatal),
          revocations.map(({ reason }) => reason),
          revocations.map(({ revokedAt }) => revokedAt),
        ],
      );
    },
    revocations: async () => {
      const sql = 'SELECT kind, value, is_fatal, reason, revoked_at FROM revocations ORDER BY sequence';
      return (await database.read(sql)).map(toRevocation);
    },
  };
}

const LAYER = 'SELECT object_key, sequence, manifest, last_used_at FROM layers';

function layerStore(database: PostgresDatabase): Layers {
  const layers = async (rest: string, values: readonly unknown[]) =>
    (await database.read(`${LAYER} ${rest}`, values)).map(toLayer);
  return {
    record: async ({ objectKey, manifest, lastUsedAtMs }) => {
      await database.write(
        `INSERT INTO layers (object_key, digest, manifest, last_used_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (object_key) DO NOTHING`,
        [objectKey, manifest.tar.digest, JSON.stringify(manifest), lastUsedAtMs],
      );
    },
    layers: async (cursor, limit) => {
      const sql = `${LAYER} WHERE sequence < $1 ORDER BY sequence DESC LIMIT $2`;
      const rows = await database.read(sql, [cursor ?? Number.MAX_SAFE_INTEGER, limit + 1]);
      return toPage(rows, limit, toLayer);
    },
    layersOf: (digest) => layers('WHERE digest = $1 ORDER BY sequence', [digest]),
    unused: (beforeMs, limit) =>
      layers('WHERE last_used_at < $1 ORDER BY last_used_at, sequence LIMIT $2', [beforeMs, limit]),
    used: async (digests, nowMs) => {
      await database.write(
        'UPDATE layers SET last_used_at = $2 WHERE digest = ANY ($1::text[]) AND last_used_at < $2::bigint',
        [digests, nowMs],
      );
    },
    forget: async (objectKeys) => {
      await database.write('DELETE FROM layers WHERE object_key = ANY ($1::text[])', [objectKeys]);
    },
  };
}

function pinStore(database: PostgresDatabase): Pins {
  const columns = (pins: readonly Pin[]) => [
    pins.map(({ digest }) => digest),
    pins.map(({ agentId }) => agentId ?? ''),
  ];
  return {
    pin: async (pins) => {
      await database.write(
        `INSERT INTO pins (digest, agent) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING`,
        columns(pins),
      );
    },
    unpin: async (pins) => {
      await database.write(
        `DELETE FROM pins USING unnest($1::text[], $2::text[]) AS given (digest, agent)
         WHERE pins.digest = given.digest AND (given.agent = '' OR pins.agent = given.agent)`,
        columns(pins),
      );
    },
    pins: async () => (await database.read('SELECT digest, agent FROM pins ORDER BY digest, agent')).map(toPin),
  };
}

/** The cache's memory in an open database. */
export function postgresCacheStore(database: PostgresDatabase): CacheStore {
  return { ...revocationStore(database), ...layerStore(database), ...pinStore(database) };
}
