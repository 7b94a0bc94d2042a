/**
 * Owns what the coordinator and the verifier say to each other about removing layers from the store.
 * Never names a blob: what a live manifest needs is the verifier's to find out.
 */
import { type Static, Type } from '@sinclair/typebox';
import { Closed, OneOf } from './closed.ts';

const count = Type.Integer({ minimum: 0 });
const ObjectKey = Type.String({ pattern: '^manifests/(shared|tenant-[0-9a-z-]{1,64})/[0-9a-z-]{8,128}\\.dsse$' });

/** Manifests to remove, then everything that no manifest needs any more: `POST /sweeps` of the verifier. */
export const SweepOrder = Closed({
  manifests: Type.Array(ObjectKey, { maxItems: 10_000 }),
  graceMs: Type.Integer({ minimum: 0, description: 'What is younger is left alone: a publication may be under way.' }),
  isRehearsal: Type.Boolean({ description: 'Only say what would go.' }),
});
export type SweepOrder = Static<typeof SweepOrder>;

/** Why a manifest that was to be removed is still there. */
export const keptReasons = ['needed-by-child'] as const;

/** The verifier's answer. */
export const SweepResult = Closed({
  removed: Type.Array(Type.String(), { description: 'Object keys of manifests that are gone.' }),
  kept: Type.Array(Closed({ manifest: Type.String(), reason: OneOf(keptReasons) })),
  blobs: count,
  provenances: count,
  bytes: count,
  bytesLeft: Type.Integer({ minimum: 0, description: 'Of all blobs that stay.' }),
});
export type SweepResult = Static<typeof SweepResult>;
