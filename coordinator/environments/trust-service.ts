/**
 * Owns what this coordinator believes about keys and layers, and that everybody else learns of it: the newest trust state of the verifier,
 * renewed before it is old, and the operator's revocations. Never signs.
 * Invariants: a revocation is durable before it is answered, in force here from then on, and signed as soon as the verifier answers; the newest
 * state is told to listeners in the same turn in which it is taken over.
 */
import { type Clock, type Timer, toTimestamp } from '../../shared/clock.ts';
import { SystemError, toSystemError } from '../../shared/errors.ts';
import { ManifestTrust } from '../../shared/layers/manifest-trust.ts';
import { RevocationList, toRevokedError } from '../../shared/layers/revocation-list.ts';
import type { Logger } from '../../shared/logger.ts';
import type { Envelope, LayerManifest } from '../../shared/model/manifest.ts';
import { REVOCATIONS_MAX, type Revocation, type SigningKeyList } from '../../shared/model/trust.ts';
import type { RevocationStore } from '../executions/cache-store.ts';
import type { RotationStep, Verifier } from './verifier-client.ts';

/** What the service talks to. */
export interface TrustServiceDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly verifier: Pick<Verifier, 'trust' | 'keys' | 'rotate'>;
  readonly store: RevocationStore;
}

/** Who hears of what is trusted. */
export interface TrustListener {
  /** There is a newer state; `isOurs`: it was signed for us, not for another coordinator. */
  signed(envelope: Envelope, isOurs: boolean): void;
  /** What was good may not be good any more; said at once when something is revoked, whether it is signed yet or not. */
  changed(): void;
}

/** While the verifier does not answer it is asked again after this time. */
const RETRY_MS = 1000;

/** See the head of this file. */
export class TrustService {
  readonly #deps: TrustServiceDeps;
  readonly #renewMs: number;
  readonly #trust: ManifestTrust;
  #listener: TrustListener = { signed: () => undefined, changed: () => undefined };
  #ordered: readonly Revocation[] = [];
  /** What was ordered here, whether the verifier has signed it yet or not. */
  #revoked = new RevocationList([]);
  #envelope: Envelope | null = null;
  #signing: Promise<void> | null = null;
  #timer: Timer | null = null;
  #keysVersion = 0;
  #signedAtMs = 0;
  #isStopped = false;

  constructor(deps: TrustServiceDeps, options: { renewMs: number }) {
    this.#deps = deps;
    this.#renewMs = options.renewMs;
    this.#trust = new ManifestTrust([], { clock: deps.clock });
  }

  /** Learns what was revoked before a restart and begins to keep the state fresh; the verifier may be away. */
  async start(): Promise<void> {
    this.#take(await this.#deps.store.revocations());
    void this.#renew();
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  /** Tells the listener, the only one, from now on. */
  listen(listener: TrustListener): void {
    this.#listener = listener;
  }

  /** The newest state; SystemError `verifier-unavailable` while there has been none. */
  async envelope(): Promise<Envelope> {
    if (this.#envelope === null) await (this.#signing ?? this.#sign());
    return this.newest;
  }

  /** The newest state, once `envelope` has resolved. */
  get newest(): Envelope {
    if (this.#envelope !== null) return this.#envelope;
    throw new SystemError('verifier-unavailable', 'the verifier has signed no trust state yet', {
      retryAfterSeconds: 2,
    });
  }

  get version(): number {
    return this.#trust.version;
  }

  /** Since the newest state was signed; 0 before there is one. */
  get ageSeconds(): number {
    return this.#envelope === null ? 0 : (this.#deps.clock.monotonicMs() - this.#signedAtMs) / 1000;
  }

  /** Version of the first state that names the present signing keys: who has seen it, or a later one, knows them. */
  get keysVersion(): number {
    return this.#keysVersion;
  }

  /** The manifest in an envelope, as everybody sees it who has the newest state; SystemError `layer-untrusted` or `layer-revoked`. */
  open(envelope: Envelope): LayerManifest {
    const signer = this.#revoked.ofSigner(envelope);
    if (signer !== null) throw toRevokedError('the key that signed a layer', signer);
    const manifest = this.#trust.open(envelope);
    const revocation = this.#revoked.find(manifest);
    if (revocation !== null) throw toRevokedError(`layer ${manifest.tar.digest} (${manifest.kind})`, revocation);
    return manifest;
  }

  /** Was this content key revoked? */
  isKeyRevoked(key: string): boolean {
    return this.#revoked.ofKey(key) !== null || this.#trust.revoked.ofKey(key) !== null;
  }

  /** Is a layer with this manifest not to be used any more? */
  isRevoked(manifest: Pick<LayerManifest, 'tar' | 'key' | 'builtAt'>): boolean {
    return this.#revoked.find(manifest) !== null || this.#trust.revoked.find(manifest) !== null;
  }

  /** Revokes for ever; SystemError `conflict` for a key that signs now. Resolves with the version that says so, or null when the verifier does not answer now: it is told as soon as it does. */
  async revoke(orders: readonly Omit<Revocation, 'revokedAt'>[]): Promise<number | null> {
    const { clock, store, log } = this.#deps;
    const revokedAt = toTimestamp(clock.nowMs());
    const revocations = orders.map((order) => ({ ...order, revokedAt }));
    await this.#check(revocations);
    await store.revoke(revocations);
    for (const { kind, value, isFatal, reason } of revocations) log.warn({ kind, value, isFatal, reason }, 'revoked');
    this.#take(await store.revocations());
    this.#listener.changed();
    try {
      await this.#sign();
      return this.version;
    } catch (error) {
      log.error({ reason: toSystemError(error).message }, 'revocation not signed yet');
      this.#schedule(RETRY_MS);
      return null;
    }
  }

  /** What the verifier would never sign must not be recorded: nothing could be signed any more. */
  async #check(revocations: readonly Revocation[]): Promise<void> {
    if (this.#ordered.length + revocations.length > REVOCATIONS_MAX) {
      throw new SystemError(
        'conflict',
        `there can be ${REVOCATIONS_MAX} revocations; change cacheSalt, or retire a signing key`,
      );
    }
    const signers = new Set(revocations.flatMap(({ kind, value }) => (kind === 'signing-key' ? [value] : [])));
    if (signers.size === 0) return;
    const { keys } = await this.keys();
    if (keys.some(({ role, keyid }) => role === 'present' && signers.has(keyid))) {
      throw new SystemError('conflict', 'that key signs now; announce another, switch to it, then revoke this one');
    }
  }

  /** Another coordinator has revoked something: reads what. */
  async readAgain(): Promise<void> {
    this.#take(await this.#deps.store.revocations());
    this.#listener.changed();
  }

  /** Takes over a state that was signed for another coordinator, unless there is a newer one here. */
  takeOver(envelope: Envelope): void {
    try {
      this.#takeState(envelope, false);
    } catch (error) {
      // An older one, most of the time: both of us have just had one signed.
      this.#deps.log.debug(
        { reason: toSystemError(error).message },
        'trust state of another coordinator not taken over',
      );
    }
  }

  /** The signing keys with their roles. */
  keys(): Promise<SigningKeyList> {
    return this.#deps.verifier.keys();
  }

  /** Takes a step of a key's rotation and makes it known; SystemError `conflict` when it is not its turn. */
  async rotate(step: RotationStep): Promise<SigningKeyList> {
    const keys = await this.#deps.verifier.rotate(step);
    this.#deps.log.warn(
      { step, keys: keys.keys.map(({ role, keyid }) => `${role} ${keyid}`) },
      'signing key turned over',
    );
    await this.#sign();
    return keys;
  }

  #take(revocations: readonly Revocation[]): void {
    this.#ordered = revocations;
    this.#revoked = new RevocationList(revocations);
  }

  /** One request after the other; what was ordered while one was under way is in the next. */
  async #sign(): Promise<void> {
    while (this.#signing !== null) await this.#signing.catch(() => undefined);
    this.#signing = this.#askAndTell().finally(() => {
      this.#signing = null;
    });
    await this.#signing;
  }

  async #askAndTell(): Promise<void> {
    const { envelope } = await this.#deps.verifier.trust({ revocations: [...this.#ordered] });
    this.#takeState(envelope, true);
  }

  #takeState(envelope: Envelope, isOurs: boolean): void {
    const before = this.#trust.keys.map(({ keyid }) => keyid).join();
    const isChanged = this.#trust.accept(envelope);
    if (this.#trust.keys.map(({ keyid }) => keyid).join() !== before) this.#keysVersion = this.version;
    this.#envelope = envelope;
    this.#signedAtMs = this.#deps.clock.monotonicMs();
    this.#listener.signed(envelope, isOurs);
    if (isChanged) this.#listener.changed();
  }

  async #renew(): Promise<void> {
    try {
      await this.#sign();
      this.#schedule(this.#renewMs);
    } catch (error) {
      this.#deps.log.warn({ reason: toSystemError(error).message }, 'trust state not renewed');
      this.#schedule(RETRY_MS);
    }
  }

  #schedule(delayMs: number): void {
    this.#timer?.cancel();
    if (!this.#isStopped) this.#timer = this.#deps.clock.after(delayMs, () => void this.#renew());
  }
}
