/**
 * Owns what an operator asks about the cache and what is answered: schemas, and how answers are made of what the services know. Never asks anybody.
 */
import { Type } from '@sinclair/typebox';
import { toTimestamp } from '../../shared/clock.ts';
import { Closed, Nullable, OneOf, Timestamp } from '../../shared/model/closed.ts';
import { EnvironmentReference } from '../../shared/model/environment.ts';
import { Failure } from '../../shared/model/failure.ts';
import { keptReasons, type SweepResult } from '../../shared/model/sweep.ts';
import { keyRoles } from '../../shared/model/trust.ts';
import type { ListedLayer } from '../environments/cache-service.ts';

const digestText = { pattern: '^sha256:[0-9a-f]{64}$' };
export const Digest = Type.String({ ...digestText, description: 'SHA-256 of a tar.' });
const TenantId = Type.String({ description: "Whose environment it is; default: the asking key's tenant." });
const Agents = Type.Array(Type.String(), { minItems: 1, maxItems: 10_000, description: "Agents' ids; absent: all." });
const Digests = Type.Array(Digest, { minItems: 1, maxItems: 1000, description: 'Tar digests of layers.' });
const count = (description: string) => Type.Integer({ minimum: 0, description });
const text = (description: string) => Type.String({ description });

export const Pinning = Closed(
  {
    digests: Type.Optional(Digests),
    environment: Type.Optional(EnvironmentReference),
    tenant: Type.Optional(TenantId),
    agents: Type.Optional(Agents),
  },
  {
    title: 'Pinning',
    description: 'Layers by digest, or those of an environment.',
    anyOf: [{ required: ['digests'] }, { required: ['environment'] }],
  },
);

export const PinnedLayers = Closed(
  { digests: Type.Array(Digest, { description: 'What it was about.' }) },
  { title: 'PinnedLayers', description: 'Layers that were pinned or let go.' },
);

export const PrefetchRequest = Closed(
  {
    environment: EnvironmentReference,
    tenant: Type.Optional(TenantId),
    agents: Type.Optional(Agents),
  },
  { title: 'PrefetchRequest', description: 'Whose layers, and where.' },
);

const PrefetchState = OneOf(['fetching', 'done', 'failed'], { title: 'PrefetchState', description: 'How it is.' });

const PrefetchShare = Closed(
  {
    agent: text("The agent's id."),
    state: PrefetchState,
    bytes: count('So far.'),
    bytesTotal: count('Of what it lacks.'),
    fraction: Type.Number({ minimum: 0, maximum: 1, description: 'Of the whole.' }),
    failure: Nullable(Failure, { description: 'Why it has not got them.' }),
  },
  { title: 'PrefetchShare', description: "One agent's part of a prefetch." },
);

export const PrefetchAnswer = Closed(
  {
    id: text('`prefetch_…`'),
    environment: text('Whose layers.'),
    state: PrefetchState,
    agents: Type.Array(PrefetchShare, { description: 'Every agent that is to have them.' }),
    createdAt: Timestamp,
    finishedAt: Nullable(Timestamp, { description: 'Null: it goes on.' }),
  },
  { title: 'Prefetch', description: 'Agents fetch layers before they are needed.' },
);

/** Events of a prefetch. */
export const prefetchEvents = { progress: PrefetchShare, finished: PrefetchAnswer };

export const Promotion = Closed(
  { environment: EnvironmentReference, tenant: Type.Optional(TenantId) },
  { title: 'Promotion', description: 'What is to be shared with everybody.' },
);

export const RevocationRequest = Closed(
  {
    layers: Type.Optional(Digests),
    keys: Type.Optional(
      Type.Array(Type.String({ pattern: '^[0-9a-z-]{8,128}$' }), {
        minItems: 1,
        maxItems: 1000,
        description: 'Content keys.',
      }),
    ),
    signingKey: Type.Optional(Type.String({ ...digestText, description: 'Id of a key: all that it signed.' })),
    builtBefore: Type.Optional(Timestamp),
    kill: Type.Optional(Type.Boolean({ description: 'End running executions that use it; default: let them end.' })),
    reason: Type.Optional(Type.String({ maxLength: 500, description: 'Shown to whoever is refused.' })),
  },
  {
    title: 'RevocationRequest',
    description: 'What is never to be used again.',
    anyOf: ['layers', 'keys', 'signingKey', 'builtBefore'].map((name) => ({ required: [name] })),
  },
);

export const RevocationAnswer = Closed(
  {
    trustVersion: Nullable(Type.Integer({ minimum: 0 }), {
      description: 'Of the trust state that says so; null: recorded, and signed once the verifier answers.',
    }),
    revoked: count('How many things were named.'),
  },
  { title: 'RevocationAnswer', description: 'How far a revocation is.' },
);

const IsRehearsal = Type.Boolean({ description: 'Only say what would go.' });
export const Purge = Closed(
  { digests: Digests, isRehearsal: Type.Optional(IsRehearsal) },
  { title: 'Purge', description: 'Layers that are to go.' },
);
export const Collection = Closed(
  {
    ageMsMax: Type.Optional(Type.Integer({ minimum: 0, description: 'Not used for so long; 0: no bound.' })),
    bytesMax: Type.Optional(Type.Integer({ minimum: 0, description: 'Blobs together; 0: no bound.' })),
    isRehearsal: Type.Optional(IsRehearsal),
  },
  { title: 'Collection', description: 'What may stay.' },
);

const KeptLayer = Closed(
  {
    key: text('Its content key.'),
    scope: text('Whose it is.'),
    reason: OneOf(keptReasons, { description: 'Why it is still there.' }),
  },
  { title: 'KeptLayer', description: 'A layer that was to go and stays.' },
);

export const SweepAnswer = Closed(
  {
    removed: count('Layers that are gone.'),
    kept: Type.Array(KeptLayer, { description: 'What was to go and stays.' }),
    blobs: count('Blobs that are gone.'),
    provenances: count('Provenances that are gone.'),
    bytes: count('Of the blobs that are gone.'),
    bytesLeft: count('Of the blobs that stay.'),
  },
  { title: 'SweepAnswer', description: 'What went, or would go.' },
);

const SigningKey = Closed(
  {
    role: OneOf(keyRoles, { description: 'It signs, it will sign, or it has signed.' }),
    keyid: text('Digest of the public key.'),
    publicKey: text('SPKI DER in base64.'),
  },
  { title: 'SigningKey', description: 'A key that layers are signed by.' },
);

const Knowers = Closed(
  { connected: count('Agents that are connected.'), current: count('Of them, that have seen this trust state.') },
  { title: 'TrustKnowers', description: 'Who knows the keys.' },
);

export const KeysAnswer = Closed(
  {
    trustVersion: count('Of the trust state that says so.'),
    keys: Type.Array(SigningKey, { description: 'All that count.' }),
    agents: Knowers,
  },
  { title: 'SigningKeys', description: 'Signing keys, and who knows them.' },
);

/** A layer as it is answered. */
export function toCachedLayer({ manifest, lastUsedAtMs, agents, pinnedOn, isRevoked }: ListedLayer) {
  const { tar, kind, base, architecture, scope, key, blob, parents, builtAt, provenance } = manifest;
  return {
    ...{ digest: tar.digest, kind, base, architecture, scope, key, bytes: blob.bytes, tarBytes: tar.bytes, parents },
    ...{ builtAt, lastUsedAt: toTimestamp(lastUsedAtMs), provenance, agents, pinnedOn, isRevoked },
  };
}

/** What a sweep did, as it is answered. */
export function toSweepAnswer({ removed, kept, ...counts }: SweepResult) {
  return {
    removed: removed.length,
    kept: kept.map(({ manifest, reason }) => {
      const [, scope = '', file = ''] = manifest.split('/');
      return { key: file.replace(/\.dsse$/, ''), scope, reason };
    }),
    ...counts,
  };
}
