/**
 * Owns what this process believes about signing keys and layers: the newest trust state that it has seen, and which envelopes it has verified
 * under it. Never decides for whom a layer is (checkScope) nor whether its bytes are right (fetcher, installer).
 * Invariants: the version never goes back; what is remembered as verified was verified under the present keys and revocations; past the state's
 * end nothing is opened.
 */
import { type Clock, systemClock } from '../clock.ts';
import { canonicalJson } from '../digest.ts';
import { SystemError } from '../errors.ts';
import type { Envelope, LayerManifest, TrustedKey } from '../model/manifest.ts';
import type { TrustState } from '../model/trust.ts';
import type { TrustAnchor } from './anchored-envelope.ts';
import { openManifest } from './layer-manifest.ts';
import { RevocationList, toRevokedError } from './revocation-list.ts';
import { openTrustState } from './trust-state.ts';

/** Settings of a trust. */
export interface ManifestTrustOptions {
  readonly clock?: Pick<Clock, 'nowMs'>;
  /** A state older than this lets nothing new in; milliseconds. */
  readonly ttlMs?: number;
  /** Ids of keys whose states are accepted whatever was seen before; empty: the first state is believed. */
  readonly keyIds?: readonly string[];
  /** Called with every state that was accepted, so that it can be kept. */
  readonly remember?: (envelope: Envelope) => void;
}

/** How many verified envelopes are remembered. */
const REMEMBERED_MAX = 4096;

/** What one process trusts; `keys` are trusted as long as it has seen no state. */
export class ManifestTrust {
  readonly #options: ManifestTrustOptions;
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #verified = new Map<string, LayerManifest>();
  #keys: readonly TrustedKey[];
  #state: TrustState | null = null;
  #revoked = new RevocationList([]);

  constructor(keys: readonly TrustedKey[] = [], options: ManifestTrustOptions = {}) {
    this.#keys = keys;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  get keys(): readonly TrustedKey[] {
    return this.#keys;
  }

  /** Of the newest state; 0 before there is one. */
  get version(): number {
    return this.#state?.version ?? 0;
  }

  get revoked(): RevocationList {
    return this.#revoked;
  }

  /** Takes over what an earlier process of ours has remembered; SystemError `trust-refused` when it is none. */
  restore(envelope: Envelope): void {
    this.#take(openTrustState(envelope, null));
  }

  /**
   * Takes a state over, unless it is the present one; true when keys or revocations have changed. SystemError `trust-refused` when it is
   * older than the present one, or not signed by a key that is trusted already.
   */
  accept(envelope: Envelope): boolean {
    const state = this.#open(envelope);
    if (state.version < this.version) {
      throw new SystemError(
        'trust-refused',
        `trust state ${state.version} of ${state.issuedAt} is older than ${this.version}, which was seen already; it was rolled back`,
      );
    }
    return this.#advance(state, envelope);
  }

  /** The same for states that may overtake each other on their way: an older one is passed over, and the newest stays in force. */
  catchUp(envelope: Envelope): boolean {
    return this.#advance(this.#open(envelope), envelope);
  }

  #advance(state: TrustState, envelope: Envelope): boolean {
    if (state.version <= this.version) return false;
    const isChanged = this.#take(state);
    this.#options.remember?.(envelope);
    return isChanged;
  }

  #open(envelope: Envelope): TrustState {
    const { keyIds = [] } = this.#options;
    const pinned: TrustAnchor = keyIds.length > 0 ? { keyIds } : null;
    if (this.#state === null) return openTrustState(envelope, pinned);
    try {
      return openTrustState(envelope, { keys: this.#state.keys });
    } catch (error) {
      if (pinned === null) throw error;
      return openTrustState(envelope, pinned);
    }
  }

  #take(state: TrustState): boolean {
    const before = this.#state;
    this.#state = state;
    const isSame =
      before !== null &&
      before.revocations.length === state.revocations.length &&
      canonicalJson([before.keys, before.revocations]) === canonicalJson([state.keys, state.revocations]);
    if (isSame) return false;
    this.#revoked = new RevocationList(state.revocations);
    this.#keys = state.keys.filter(({ keyid }) => !this.#revoked.hasSigner(keyid));
    this.#verified.clear();
    return true;
  }

  /** The manifest in the envelope; SystemError `layer-untrusted`, `layer-revoked`, or `trust-expired` when nothing may be used any more. */
  open(envelope: Envelope): LayerManifest {
    this.#checkExpiry();
    const identity = identityOf(envelope);
    const known = this.#verified.get(identity);
    if (known !== undefined) return known;
    const manifest = this.#verify(envelope);
    if (this.#verified.size >= REMEMBERED_MAX) {
      for (const oldest of this.#verified.keys()) {
        this.#verified.delete(oldest);
        break;
      }
    }
    this.#verified.set(identity, manifest);
    return manifest;
  }

  #verify(envelope: Envelope): LayerManifest {
    const signer = this.#revoked.ofSigner(envelope);
    if (signer !== null) throw toRevokedError('the key that signed a layer', signer);
    const manifest = openManifest(envelope, this.#keys);
    const revocation = this.#revoked.find(manifest);
    if (revocation !== null) throw toRevokedError(`layer ${manifest.tar.digest} (${manifest.kind})`, revocation);
    return manifest;
  }

  /** The error for whoever uses this layer now and must end, or null. */
  fatal(envelope: Envelope): SystemError | null {
    const signer = this.#revoked.ofSigner(envelope);
    if (signer?.isFatal) return toRevokedError('the key that signed a layer in use', signer);
    try {
      const manifest = openManifest(envelope, [...this.#keys, ...(this.#state?.keys ?? [])]);
      const revocation = this.#revoked.find(manifest);
      return revocation?.isFatal ? toRevokedError(`layer ${manifest.tar.digest} in use`, revocation) : null;
    } catch {
      // Signed by a key that is gone and was not revoked fatally: whoever began with it may end with it.
      return null;
    }
  }

  /** Throws SystemError `trust-expired` when the state is too old to take in a layer that is not here yet. */
  checkFresh(): void {
    this.#checkExpiry();
    const { ttlMs } = this.#options;
    if (this.#state === null || ttlMs === undefined) return;
    const ageMs = this.#clock.nowMs() - Date.parse(this.#state.issuedAt);
    if (ageMs > ttlMs) {
      throw new SystemError(
        'trust-expired',
        `the trust state is ${Math.round(ageMs / 1000)} s old, and above ${ttlMs / 1000} s no new layer is taken in; see that the coordinator reaches its verifier, and the clocks`,
      );
    }
  }

  #checkExpiry(): void {
    if (this.#state === null || this.#clock.nowMs() <= Date.parse(this.#state.expires)) return;
    throw new SystemError(
      'trust-expired',
      `the trust state has ended at ${this.#state.expires}: no layer is used until there is a newer one; see that the coordinator reaches its verifier, and the clocks`,
    );
  }
}

/** Everything that verification looks at, so that a right payload never vouches for a wrong signature; newlines can't be in base64. */
function identityOf({ payloadType, payload, signatures }: Envelope): string {
  return `${payload}\n${signatures.map(({ keyid, sig }) => `${keyid} ${sig}`).join('\n')}\n${payloadType}`;
}
