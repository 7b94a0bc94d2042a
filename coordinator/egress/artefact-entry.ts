/**
 * Owns what the store knows of one kept answer: its head, its body's digest, when it came; as a text that only the builder can have written.
 * Never holds a request's credentials: such answers are not kept.
 * Invariant: an entry is believed only when its code, made with the builder's key, covers every field and the name it lies under.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { canonicalJson } from '../../shared/digest.ts';
import { Closed } from '../../shared/model/closed.ts';

const Field = Type.Tuple([Type.String(), Type.String()]);

/** One kept answer. */
export const ArtefactEntry = Closed({
  index: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  phrase: Type.String(),
  rawHeaders: Type.Array(Type.String()),
  varied: Type.Array(Field),
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  bytes: Type.Integer({ minimum: 0 }),
  storedAtMs: Type.Integer({ minimum: 0 }),
});
export type ArtefactEntry = Static<typeof ArtefactEntry>;

const SealedEntry = Closed({ entry: ArtefactEntry, code: Type.String({ pattern: '^[0-9a-f]{64}$' }) });

function codeOf(entry: ArtefactEntry, key: Uint8Array): Buffer {
  return createHmac('sha256', key)
    .update(`artefact-entry/v1\0${canonicalJson(entry)}`)
    .digest();
}

/** The text of an entry. */
export function sealEntry(entry: ArtefactEntry, key: Uint8Array): string {
  return JSON.stringify({ entry, code: codeOf(entry, key).toString('hex') });
}

/** The entry in a text that lay under `index`; null when it is not one that this key sealed for that place. */
export function openEntry(text: string, index: string, key: Uint8Array): ArtefactEntry | null {
  let sealed: unknown;
  try {
    sealed = JSON.parse(text);
  } catch {
    return null;
  }
  if (!Value.Check(SealedEntry, sealed) || sealed.entry.index !== index) return null;
  return timingSafeEqual(codeOf(sealed.entry, key), Buffer.from(sealed.code, 'hex')) ? sealed.entry : null;
}
