/**
 * Owns the branded ids: what each is called, its prefix and how a fresh one is made.
 * Never derives an id from client text except `env_`, which is the digest of a request (environment-key).
 */
import type { Random } from './clock.ts';

/** Prefix of every kind of id on the wire. */
export const idPrefixes = {
  execution: 'exec',
  environment: 'env',
  agent: 'agent',
  lease: 'lease',
  build: 'build',
  file: 'file',
  request: 'req',
  prefetch: 'prefetch',
  delivery: 'delivery',
} as const;

/** The kinds of id. */
export type IdKind = keyof typeof idPrefixes;

/** An id of one kind: a string that no other kind's id can be passed for. */
export type Id<Kind extends IdKind> = `${(typeof idPrefixes)[Kind]}_${string}`;

export type ExecutionId = Id<'execution'>;
export type EnvironmentId = Id<'environment'>;
export type AgentId = Id<'agent'>;
export type LeaseId = Id<'lease'>;
export type FileId = Id<'file'>;
export type BuildId = Id<'build'>;
export type DeliveryId = Id<'delivery'>;

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';

/** Crockford base-32 text of bytes, lower case, without padding. */
export function toBase32(bytes: Uint8Array): string {
  let text = '';
  let buffer = 0;
  let bits = 0;
  for (const byte of bytes) {
    buffer = (buffer << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += alphabet[(buffer >> bits) & 31];
    }
    buffer &= (1 << bits) - 1;
  }
  return bits > 0 ? text + alphabet[(buffer << (5 - bits)) & 31] : text;
}

/** A fresh id of 128 random bits. */
export function createId<Kind extends IdKind>(kind: Kind, random: Random): Id<Kind> {
  return `${idPrefixes[kind]}_${toBase32(random.bytes(16))}` as Id<Kind>;
}

const UUID_VERSION = 0x40;
const UUID_VARIANT = 0x80;

/** A fresh id of an execution: its 128 bits are a UUID of version 4, 122 of them random, so that protocols that name things by UUIDs can name it (toUuid). */
export function createExecutionId(random: Random): ExecutionId {
  const bytes = random.bytes(16).map((byte, index) => {
    if (index === 6) return (byte & 0x0f) | UUID_VERSION;
    return index === 8 ? (byte & 0x3f) | UUID_VARIANT : byte;
  });
  return `exec_${toBase32(bytes)}`;
}

/** Is `text` of the form of an id of this kind? */
export function isId<Kind extends IdKind>(kind: Kind, text: string): text is Id<Kind> {
  return new RegExp(`^${idPrefixes[kind]}_[0-9a-z]{8,64}$`).test(text);
}
