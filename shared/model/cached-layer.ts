/**
 * Owns a layer of the cache as operators see it: what it is, who has it, what it is built on. Never says how it is kept.
 * Invariant: a digest here is that of a tar.
 */
import { type Static, Type } from '@sinclair/typebox';
import { Closed, Nullable, OneOf, Timestamp } from './closed.ts';
import { layerKinds } from './environment.ts';

const Digest = Type.String({ pattern: '^sha256:[0-9a-f]{64}$', description: 'SHA-256 of a tar.' });
const count = (description: string) => Type.Integer({ minimum: 0, description });
const text = (description: string) => Type.String({ description });

/** A layer in the store. */
export const CachedLayer = Closed(
  {
    digest: Digest,
    kind: OneOf(layerKinds, { description: 'Which step of an environment it is.' }),
    base: text('What it is built on.'),
    architecture: text('Of the machines that can use it.'),
    scope: text('`shared`, or `tenant-` and whose it is.'),
    key: text('Digest of everything that its build could observe.'),
    bytes: count('Of the compressed blob.'),
    tarBytes: count('Of its tar.'),
    parents: Type.Array(Digest, { description: 'Layers below, lowest first.' }),
    builtAt: text('When; ISO 8601 in UTC.'),
    lastUsedAt: Timestamp,
    provenance: Nullable(Digest, { description: 'The statement how it was built and from what.' }),
    agents: Type.Array(Type.String(), { description: 'Connected agents that hold it.' }),
    pinnedOn: Type.Array(Type.String(), { description: "Agents' ids; '*' is all of them." }),
    isRevoked: Type.Boolean({ description: 'Is it never to be used again?' }),
  },
  { title: 'CachedLayer', description: 'A layer in the store.' },
);
export type CachedLayer = Static<typeof CachedLayer>;
