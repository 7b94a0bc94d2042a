/**
 * Owns where a layer's bytes can be had: the store's own presigned URL, or a URL of this coordinator with a token of ours.
 * Never reads a layer. Invariant: a URL that is handed out is good for at least half of its time.
 */

import type { Clock } from '../../shared/clock.ts';
import { type Digest, digestHex, isDigest } from '../../shared/digest.ts';
import { blobKey } from '../../shared/layers/layer-manifest.ts';
import type { ObjectStore } from '../../shared/storage/object-store.ts';
import { isSealOf, sealOf } from '../text-seal.ts';

/** Path below which this coordinator serves layers. */
export const LAYERS_PATH = '/internal/layers';

const KEPT_MAX = 10_000;

/** Makes URLs and checks the tokens in our own. */
export class LayerUrls {
  readonly #deps: { readonly clock: Clock; readonly store: ObjectStore; readonly key: Uint8Array };
  readonly #ttlSeconds: number;
  readonly #kept = new Map<string, { readonly url: string; readonly renewAtMs: number }>();
  #origin = '';

  constructor(deps: { clock: Clock; store: ObjectStore; key: Uint8Array }, options: { ttlSeconds: number }) {
    this.#deps = deps;
    this.#ttlSeconds = options.ttlSeconds;
  }

  /** Says under which URL this coordinator is reached; known only once it listens. */
  serveFrom(origin: string): void {
    this.#origin = origin.replace(/\/$/, '');
    this.#kept.clear();
  }

  /** A URL of the blob. */
  urlOf(digest: Digest): string {
    const nowMs = this.#deps.clock.nowMs();
    const kept = this.#kept.get(digest);
    if (kept !== undefined && nowMs < kept.renewAtMs) return kept.url;
    const url = this.#deps.store.presignGet(blobKey(digest), this.#ttlSeconds) ?? this.#ownUrl(digest, nowMs);
    if (this.#kept.size >= KEPT_MAX) this.#kept.clear();
    this.#kept.set(digest, { url, renewAtMs: nowMs + this.#ttlSeconds * 500 });
    return url;
  }

  #ownUrl(digest: Digest, nowMs: number): string {
    const text = `${digestHex(digest)}.${Math.ceil(nowMs / 1000) + this.#ttlSeconds}`;
    return `${this.#origin}${LAYERS_PATH}/${text}.${sealOf(this.#deps.key, text)}`;
  }

  /** The digest that a token of ours stands for, or null when it is not ours or too old. */
  digestOf(token: string): Digest | null {
    const [hex = '', expiry = '', signature = ''] = token.split('.');
    if (!isSealOf(signature, this.#deps.key, `${hex}.${expiry}`)) return null;
    const digest = `sha256:${hex}`;
    return Number(expiry) * 1000 > this.#deps.clock.nowMs() && isDigest(digest) ? digest : null;
  }
}
