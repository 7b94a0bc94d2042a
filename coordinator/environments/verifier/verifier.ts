/**
 * Owns the decision whether a layer may enter the cache: checks what was staged, signs, writes blob, provenance, then manifest.
 * Never runs anything, never believes a size or digest that it did not compute, never replaces what stands in the store.
 * Invariants: a manifest that can be read names a blob and a provenance that are there; what this process signed, it has read whole.
 */
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { type Digest, digestOf } from '../../../shared/digest.ts';
import { SystemError } from '../../../shared/errors.ts';
import { isId } from '../../../shared/ids.ts';
import { signEnvelope } from '../../../shared/layers/envelope.ts';
import {
  blobKey,
  decodeEnvelope,
  ENVELOPE_BYTES_MAX,
  encodeEnvelope,
  manifestKey,
  openManifest,
  provenanceKey,
  signManifest,
} from '../../../shared/layers/layer-manifest.ts';
import { digestOfSpec, encodeSpec, SHAREABLE_PREFIX, shareableKey } from '../../../shared/layers/layer-spec.ts';
import { type RevocationList, toRevokedError } from '../../../shared/layers/revocation-list.ts';
import type { Logger } from '../../../shared/logger.ts';
import type {
  PromotionOrder,
  Publication,
  PublicationOrder,
  ReproductionCandidate,
  ReproductionOrder,
} from '../../../shared/model/build.ts';
import { type Envelope, LayerManifest, type TrustedKey } from '../../../shared/model/manifest.ts';
import { streamFile } from '../../../shared/storage/file-streams.ts';
import { describeBytes, type ObjectStore, readObject } from '../../../shared/storage/object-store.ts';
import { checkAgainstOrder } from './order-check.ts';
import { describeProvenance, describeReproduction, PROVENANCE_PAYLOAD_TYPE } from './provenance.ts';
import type { PublicationsUnderWay } from './publications-under-way.ts';
import { Refusal } from './refusal.ts';
import { checkCandidate, checkFirst, checkReproduction, type ReproductionNeighbours } from './reproduction-check.ts';
import type { SigningKeys } from './signing-key.ts';
import { openStaged, readStaged } from './staged-file.ts';
import { putBlob } from './stored-blob.ts';
import type { TarBounds } from './tar-check.ts';

/** Neighbours and settings of a verifier. */
export interface VerifierOptions {
  readonly store: ObjectStore;
  readonly keys: Pick<SigningKeys, 'signing' | 'trusted'>;
  /** What was ever revoked: nothing of it is published or promoted. */
  readonly trust: { readonly revoked: RevocationList };
  readonly underWay: PublicationsUnderWay;
  readonly stagingDirectory: string;
  readonly bounds: TarBounds;
  readonly logger: Logger;
}

/** So many layers are read at the same time; the rest waits. */
const TURNS = 2;
const manifestCheck = TypeCompiler.Compile(LayerManifest);

/** The sole writer of the cache. */
export class Verifier {
  readonly #options: VerifierOptions;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(options: VerifierOptions) {
    this.#options = options;
  }

  /** The keys whose signatures count, the present one first. */
  get trustedKeys(): readonly TrustedKey[] {
    return this.#options.keys.trusted;
  }

  /**
   * Publishes a staged layer, or answers what stands there under its key already. SystemError `publication-refused` names the
   * reason, `conflict` when the key stands for another layer, `layer-untrusted` when what stands there is not ours.
   */
  async publish(order: PublicationOrder): Promise<Publication> {
    checkBuildId(order.staged.buildId);
    // The provenance is not known yet; everything else of the manifest is checked before it becomes part of a path.
    const manifest = toManifest(order, null);
    checkManifest(manifest);
    checkKey(order);
    this.#checkRevoked({ key: order.key, tar: order.staged.tar, builtAt: order.builtAt });
    const present = await this.#present(manifest);
    if (present !== null) return present;
    const { staged, key } = order;
    return await this.#inTurn({ buildId: staged.buildId, key }, () => this.#publishStaged(order));
  }

  /** Says whether a second build of this layer could make it everybody's; SystemError `publication-refused` names why not. */
  async checkCandidate(candidate: ReproductionCandidate): Promise<void> {
    await this.#inTurn({}, async () => {
      await checkCandidate(candidate, checkFirst(candidate, this.trustedKeys), this.#neighbours());
    });
  }

  /**
   * Signs a tenant's layer again, as everybody's under the same key, when a second build agrees with it. SystemError
   * `publication-refused` names the reason, and the first differing files.
   */
  async reproduce(order: ReproductionOrder): Promise<Publication> {
    const { buildId } = order.second;
    checkBuildId(buildId);
    return await this.#inTurn({ buildId }, async () => {
      const first = checkFirst(order, this.trustedKeys);
      this.#checkRevoked(first);
      const present = await this.#present({ ...first, scope: 'shared' });
      if (present !== null) return present;
      const release = await this.#options.underWay.rely([blobKey(first.blob.digest)]);
      try {
        const { statement, reproduced } = await checkReproduction(order, first, this.#neighbours());
        const publication = await this.#putSigned(describeReproduction(statement, reproduced), (provenance) => ({
          ...first,
          scope: 'shared',
          provenance,
        }));
        const { how, differing } = reproduced;
        const { key, tar } = first;
        this.#options.logger.info({ buildId, key, layer: tar.digest, how, differing }, 'layer reproduced');
        return publication;
      } finally {
        release();
      }
    });
  }

  #neighbours(): ReproductionNeighbours {
    const { store, keys, stagingDirectory, bounds } = this.#options;
    return { store, trusted: keys.trusted, stagingDirectory, bounds };
  }

  /** Runs what reads a layer; a Refusal becomes the answer that names it. */
  async #inTurn<Answer>(about: object, action: () => Promise<Answer>): Promise<Answer> {
    await this.#takeTurn();
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#options.logger.warn({ ...about, reason: error.reason }, 'layer refused');
      throw new SystemError('publication-refused', `${error.reason}: ${error.message}`, { cause: error });
    } finally {
      this.#giveTurn();
    }
  }

  /** Signs a tenant's layer again, as everybody's under another key: an operator's decision, which the coordinator vouches for. */
  async promote({ envelope, key }: PromotionOrder): Promise<Publication> {
    const original = openManifest(envelope, this.trustedKeys);
    this.#checkRevoked(original);
    if (original.scope === 'shared') throw new SystemError('conflict', `layer ${original.key} is shared already`);
    const manifest: LayerManifest = { ...original, scope: 'shared', key };
    checkManifest(manifest);
    const present = await this.#present(manifest);
    if (present !== null) return present;
    const { store, logger, underWay } = this.#options;
    const needed = [blobKey(original.blob.digest)];
    if (original.provenance !== null) needed.push(provenanceKey(original.provenance));
    const release = await underWay.rely(needed);
    try {
      for (const object of needed) {
        if ((await store.head(object)) === null)
          throw new SystemError('conflict', `${object} is not in the store any more`);
      }
      const publication = await this.#putManifest(manifest);
      logger.info({ from: original.key, scope: original.scope, key, isNew: publication.isNew }, 'layer promoted');
      return publication;
    } finally {
      release();
    }
  }

  #checkRevoked(manifest: Pick<LayerManifest, 'tar' | 'key' | 'builtAt'>): void {
    const revocation = this.#options.trust.revoked.find(manifest);
    if (revocation !== null) throw toRevokedError(`layer ${manifest.tar.digest}`, revocation);
  }

  async #publishStaged(order: PublicationOrder): Promise<Publication> {
    const release = await this.#options.underWay.rely([blobKey(order.staged.blob.digest)]);
    try {
      return await this.#putAll(order);
    } finally {
      release();
    }
  }

  async #putAll(order: PublicationOrder): Promise<Publication> {
    const { store, stagingDirectory, bounds, logger } = this.#options;
    const file = await openStaged(stagingDirectory, order.staged.buildId);
    try {
      checkAgainstOrder(await readStaged(file, bounds), order);
      await putBlob(store, order.staged.blob, () => streamFile(file));
    } finally {
      await file.close();
    }
    const publication = await this.#putSigned(describeProvenance(order), (provenance) => toManifest(order, provenance));
    const { buildId, tar } = order.staged;
    logger.info({ buildId, key: order.key, layer: tar.digest, isNew: publication.isNew }, 'layer published');
    return publication;
  }

  /** Signs and stores a statement, then the manifest that names it; no sweep removes the one before the other is there. */
  async #putSigned(statement: Buffer, toManifestWith: (provenance: Digest) => LayerManifest): Promise<Publication> {
    const { store, keys, underWay } = this.#options;
    const envelope = encodeEnvelope(signEnvelope(PROVENANCE_PAYLOAD_TYPE, statement, keys.signing));
    const digest = digestOf(envelope);
    const release = await underWay.rely([provenanceKey(digest)]);
    try {
      await store.put(provenanceKey(digest), envelope, describeBytes(envelope));
      return await this.#putManifest(toManifestWith(digest));
    } finally {
      release();
    }
  }

  async #putManifest(manifest: LayerManifest): Promise<Publication> {
    const envelope = signManifest(manifest, this.#options.keys.signing);
    const stored = encodeEnvelope(envelope);
    const outcome = await this.#options.store.put(
      manifestKey(manifest.scope, manifest.key),
      stored,
      describeBytes(stored),
    );
    if (outcome === 'stored') return { envelope, isNew: true };
    const present = await this.#present(manifest);
    if (present === null)
      throw new SystemError('object-store-unavailable', `the manifest ${manifest.key} came and went`);
    return present;
  }

  /** What stands in the store under this scope and key, verified; null when there is nothing. */
  async #present(wanted: Pick<LayerManifest, 'scope' | 'key' | 'specDigest' | 'kind'>): Promise<Publication | null> {
    const stored = await readObject(this.#options.store, manifestKey(wanted.scope, wanted.key), ENVELOPE_BYTES_MAX);
    if (stored === null) return null;
    const envelope: Envelope = decodeEnvelope(stored);
    const manifest = openManifest(envelope, this.trustedKeys);
    if (manifest.scope !== wanted.scope || manifest.key !== wanted.key) {
      throw new SystemError(
        'layer-untrusted',
        `the manifest at ${wanted.scope} ${wanted.key} is that of ${manifest.scope} ${manifest.key}`,
      );
    }
    if (manifest.specDigest !== wanted.specDigest || manifest.kind !== wanted.kind) {
      throw new SystemError('conflict', `key ${wanted.key} stands for a layer of another specification`);
    }
    return { envelope, isNew: false };
  }

  async #takeTurn(): Promise<void> {
    if (this.#running < TURNS) this.#running += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #giveTurn(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running -= 1;
    else next();
  }
}

function checkBuildId(buildId: string): void {
  if (isId('build', buildId)) return;
  throw new SystemError('request-invalid', `${JSON.stringify(buildId)} is no build's id`);
}

function toManifest(order: PublicationOrder, provenance: Digest | null): LayerManifest {
  const { staged, key, spec, scope, parents, builtAt } = order;
  const { kind, base, architecture } = spec;
  return {
    version: 1,
    key,
    specDigest: digestOfSpec(spec, parents),
    scope,
    kind,
    base,
    architecture,
    parents: [...parents],
    blob: { ...staged.blob, codec: 'zstd' },
    tar: { ...staged.tar },
    variables: { ...staged.variables },
    builtAt,
    provenance,
  };
}

function checkManifest(manifest: LayerManifest): void {
  const problem = manifestCheck.Errors(manifest).First();
  if (problem !== undefined) throw new SystemError('request-invalid', `${problem.path}: ${problem.message}`);
}

/** A key that everybody may compute is computed here as well: nobody's layer gets the key of another specification. */
function checkKey({ key, spec, parents, scope }: PublicationOrder): void {
  const isShareable = key.startsWith(SHAREABLE_PREFIX);
  if (scope === 'shared' && !isShareable) {
    throw new SystemError('publication-refused', `key: ${key} is a private layer's, and the scope is shared`);
  }
  const expected = shareableKey(encodeSpec(spec, parents));
  if (isShareable && key !== expected) {
    throw new SystemError('publication-refused', `key: ${key} is not that of the specification, which is ${expected}`);
  }
}
