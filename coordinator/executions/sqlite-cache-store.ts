/**
 * Owns the CacheStore port over the SQLite file: revocations, recorded layers, pins. Never interprets a manifest.
 */
import type { CacheStore } from './cache-store.ts';
import { toLayer, toPage, toPin, toRevocation } from './rows.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

const LAST = Number.MAX_SAFE_INTEGER;

type Revocations = Pick<CacheStore, 'revoke' | 'revocations'>;
type Layers = Pick<CacheStore, 'record' | 'layers' | 'layersOf' | 'unused' | 'used' | 'forget'>;
type Pins = Pick<CacheStore, 'pin' | 'unpin' | 'pins'>;

function revocationStore(database: SqliteDatabase): Revocations {
  return {
    revoke: (revocations) =>
      database.write(() => {
        for (const { kind, value, isFatal, reason, revokedAt } of revocations) {
          database
            .prepare(
              `INSERT INTO revocations (kind, value, is_fatal, reason, revoked_at) VALUES (?, ?, ?, ?, ?)
               ON CONFLICT (kind, value) DO UPDATE SET is_fatal = max(is_fatal, excluded.is_fatal)`,
            )
            .run(kind, value, isFatal ? 1 : 0, reason, revokedAt);
        }
      }),
    revocations: () =>
      database.read(() => database.prepare('SELECT * FROM revocations ORDER BY sequence').all().map(toRevocation)),
  };
}

function layerStore(database: SqliteDatabase): Layers {
  return {
    record: ({ objectKey, manifest, lastUsedAtMs }) =>
      database.write(() => {
        database
          .prepare(
            `INSERT INTO layers (object_key, digest, manifest, last_used_at) VALUES (?, ?, ?, ?)
             ON CONFLICT (object_key) DO NOTHING`,
          )
          .run(objectKey, manifest.tar.digest, JSON.stringify(manifest), lastUsedAtMs);
      }),
    layers: (cursor, limit) =>
      database.read(() => {
        const rows = database
          .prepare('SELECT * FROM layers WHERE sequence < ? ORDER BY sequence DESC LIMIT ?')
          .all(cursor ?? LAST, limit + 1);
        return toPage(rows, limit, toLayer);
      }),
    layersOf: (digest) =>
      database.read(() =>
        database.prepare('SELECT * FROM layers WHERE digest = ? ORDER BY sequence').all(digest).map(toLayer),
      ),
    unused: (beforeMs, limit) =>
      database.read(() =>
        database
          .prepare('SELECT * FROM layers WHERE last_used_at < ? ORDER BY last_used_at, sequence LIMIT ?')
          .all(beforeMs, limit)
          .map(toLayer),
      ),
    used: (digests, nowMs) =>
      database.write(() => {
        const update = database.prepare('UPDATE layers SET last_used_at = max(last_used_at, ?) WHERE digest = ?');
        for (const digest of digests) update.run(nowMs, digest);
      }),
    forget: (objectKeys) =>
      database.write(() => {
        const removal = database.prepare('DELETE FROM layers WHERE object_key = ?');
        for (const objectKey of objectKeys) removal.run(objectKey);
      }),
  };
}

function pinStore(database: SqliteDatabase): Pins {
  return {
    pin: (pins) =>
      database.write(() => {
        const insert = database.prepare('INSERT INTO pins VALUES (?, ?) ON CONFLICT DO NOTHING');
        for (const { digest, agentId } of pins) insert.run(digest, agentId ?? '');
      }),
    unpin: (pins) =>
      database.write(() => {
        for (const { digest, agentId } of pins) {
          if (agentId === null) database.prepare('DELETE FROM pins WHERE digest = ?').run(digest);
          else database.prepare('DELETE FROM pins WHERE digest = ? AND agent = ?').run(digest, agentId);
        }
      }),
    pins: () => database.read(() => database.prepare('SELECT * FROM pins ORDER BY digest, agent').all().map(toPin)),
  };
}

/** The cache's memory in an open database. */
export function sqliteCacheStore(database: SqliteDatabase): CacheStore {
  return { ...revocationStore(database), ...layerStore(database), ...pinStore(database) };
}
