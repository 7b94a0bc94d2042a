/**
 * Owns the question whether a layer was revoked, and by which of many revocations.
 * Never decides who may revoke, and never forgets one: a list is made anew when a state says more.
 */
import { SystemError } from '../errors.ts';
import type { Envelope, LayerManifest } from '../model/manifest.ts';
import type { Revocation } from '../model/trust.ts';

/** Revocations, prepared for looking up. */
export class RevocationList {
  readonly #layers = new Map<string, Revocation>();
  readonly #keys = new Map<string, Revocation>();
  readonly #signers = new Map<string, Revocation>();
  #eldest: Revocation | null = null;
  #builtBeforeMs = Number.NEGATIVE_INFINITY;

  constructor(revocations: readonly Revocation[]) {
    for (const revocation of revocations) this.#add(revocation);
  }

  #add(revocation: Revocation): void {
    const { kind, value } = revocation;
    if (kind === 'layer') this.#layers.set(value, revocation);
    else if (kind === 'key') this.#keys.set(value, revocation);
    else if (kind === 'signing-key') this.#signers.set(value, revocation);
    else if (Date.parse(value) > this.#builtBeforeMs) {
      this.#eldest = revocation;
      this.#builtBeforeMs = Date.parse(value);
    }
  }

  /** The revocation that this layer falls under, or null; a time of building that can't be read counts as before all times. */
  find({ tar, key, builtAt }: Pick<LayerManifest, 'tar' | 'key' | 'builtAt'>): Revocation | null {
    const direct = this.#layers.get(tar.digest) ?? this.#keys.get(key);
    if (direct !== undefined) return direct;
    return this.#eldest !== null && !(Date.parse(builtAt) >= this.#builtBeforeMs) ? this.#eldest : null;
  }

  /** Is the layer with this tar digest revoked by it? */
  hasLayer(digest: string): boolean {
    return this.#layers.has(digest);
  }

  /** The revocation of a content key, or null. */
  ofKey(key: string): Revocation | null {
    return this.#keys.get(key) ?? null;
  }

  /** The revocation of a key that says that it signed this envelope, or null. */
  ofSigner({ signatures }: Pick<Envelope, 'signatures'>): Revocation | null {
    for (const { keyid } of signatures) {
      const found = this.#signers.get(keyid);
      if (found !== undefined) return found;
    }
    return null;
  }

  /** Is this signing key revoked? */
  hasSigner(keyid: string): boolean {
    return this.#signers.has(keyid);
  }
}

/** The error for using what was revoked. */
export function toRevokedError(what: string, { kind, value, reason }: Revocation): SystemError {
  const why = reason === '' ? '' : `: ${reason}`;
  return new SystemError(
    'layer-revoked',
    `${what} was revoked (${kind} ${value})${why}; ask again, and its environment is built anew`,
  );
}
