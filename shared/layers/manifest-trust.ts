/**
 * Owns which keys this process trusts to sign manifests, and remembers which envelopes it has verified already.
 * Never decides for whom a layer is (checkScope) nor whether its bytes are right (fetcher, installer).
 * Invariant: what is remembered was verified under the present keys; replacing them forgets everything.
 */
import { canonicalJson } from '../digest.ts';
import type { Envelope, LayerManifest, TrustedKey } from '../model/manifest.ts';
import { openManifest } from './layer-manifest.ts';

/** How many verified envelopes are remembered. */
const REMEMBERED_MAX = 4096;

/** The trusted keys of a process. */
export class ManifestTrust {
  #keys: readonly TrustedKey[] = [];
  readonly #verified = new Map<string, LayerManifest>();

  constructor(keys: readonly TrustedKey[] = []) {
    this.replaceKeys(keys);
  }

  get keys(): readonly TrustedKey[] {
    return this.#keys;
  }

  /** From now on these keys are trusted, and no others. */
  replaceKeys(keys: readonly TrustedKey[]): void {
    if (canonicalJson(keys) === canonicalJson(this.#keys)) return;
    this.#keys = keys.map((key) => ({ ...key }));
    this.#verified.clear();
  }

  /** The manifest in the envelope; SystemError `layer-untrusted` unless it is valid and signed by a trusted key. */
  open(envelope: Envelope): LayerManifest {
    const identity = identityOf(envelope);
    const known = this.#verified.get(identity);
    if (known !== undefined) return known;
    const manifest = openManifest(envelope, this.#keys);
    if (this.#verified.size >= REMEMBERED_MAX) {
      for (const oldest of this.#verified.keys()) {
        this.#verified.delete(oldest);
        break;
      }
    }
    this.#verified.set(identity, manifest);
    return manifest;
  }
}

/** Everything that verification looks at, so that a right payload never vouches for a wrong signature; newlines can't be in base64. */
function identityOf({ payloadType, payload, signatures }: Envelope): string {
  return `${payload}\n${signatures.map(({ sig }) => sig).join('\n')}\n${payloadType}`;
}
