/**
 * Owns the decision whether two builds of one layer agree so far that everybody may use the first: whose it is, what both fetched, and
 * both layers read whole, each by a reading of its own.
 * Never signs and never writes. Every disagreement is a Refusal; the one about contents names the first differing files.
 */
import { digestOf } from '../../../shared/digest.ts';
import { SystemError } from '../../../shared/errors.ts';
import { openEnvelope } from '../../../shared/layers/envelope.ts';
import { blobKey, decodeEnvelope, openManifest, provenanceKey } from '../../../shared/layers/layer-manifest.ts';
import { SHAREABLE_PREFIX } from '../../../shared/layers/layer-spec.ts';
import type { ReproductionCandidate, ReproductionOrder } from '../../../shared/model/build.ts';
import type { LayerManifest, TrustedKey } from '../../../shared/model/manifest.ts';
import { type ObjectStore, readObject } from '../../../shared/storage/object-store.ts';
import { LayerListing } from './layer-listing.ts';
import { checkSameMaterials, checkShareable } from './material-check.ts';
import { checkAgainstStaged } from './order-check.ts';
import {
  areMaterialsComplete,
  type Material,
  materialsOf,
  PROVENANCE_PAYLOAD_TYPE,
  type Reproduced,
  readStatement,
  type Statement,
} from './provenance.ts';
import { Refusal } from './refusal.ts';
import { type LayerContent, openStaged, readBlob, readStaged } from './staged-file.ts';
import type { TarBounds } from './tar-check.ts';

/** What a comparison reads from. */
export interface ReproductionNeighbours {
  readonly store: ObjectStore;
  readonly trusted: readonly TrustedKey[];
  readonly stagingDirectory: string;
  readonly bounds: TarBounds;
}

/** Two builds that agree: the first one's statement, and what the second one showed. */
export interface Agreement {
  readonly statement: Statement;
  readonly reproduced: Reproduced;
}

/** A statement has a few hundred bytes for each of at most some ten thousand materials, in base64. */
const STATEMENT_BYTES_MAX = 128 * 1024 ** 2;
const NAMES_MAX = 10;

/** The manifest of the first layer, which belongs to a tenant, is not private, and stands on what everybody may use; Refusal otherwise. */
export function checkFirst({ first, parents }: ReproductionCandidate, trusted: readonly TrustedKey[]): LayerManifest {
  const manifest = openManifest(first, trusted);
  if (manifest.scope === 'shared') throw new Refusal('reproduction-scope', `layer ${manifest.key} is shared already`);
  if (!manifest.key.startsWith(SHAREABLE_PREFIX)) {
    throw new Refusal('reproduction-scope', `layer ${manifest.key} is private`);
  }
  const below = parents.map((envelope) => openManifest(envelope, trusted));
  const areTheSame =
    below.length === manifest.parents.length && below.every(({ tar }, index) => tar.digest === manifest.parents[index]);
  if (!areTheSame) throw new Refusal('reproduction-parents', 'the parents are not those of the layer');
  const own = below.find(({ scope }) => scope !== 'shared');
  if (own !== undefined) throw new Refusal('reproduction-parents', `layer ${own.key} below it is ${own.scope}'s`);
  return manifest;
}

/** The first layer's statement, if what it fetched may be shared; Refusal otherwise. Needs no second build. */
export async function checkCandidate(
  { signedPlainHttpUrls }: ReproductionCandidate,
  first: LayerManifest,
  neighbours: ReproductionNeighbours,
): Promise<Statement> {
  const statement = await readFirstStatement(first, neighbours);
  const materials = materialsOf(statement);
  if (materials === null || !statement.predicate.buildDefinition.internalParameters.areMaterialsComplete) {
    throw new Refusal('reproduction-incomplete', 'not everything that the first build fetched is on record');
  }
  checkShareable(materials, signedPlainHttpUrls);
  return statement;
}

/** Reads and compares both layers; Refusal when they, or what was fetched for them, do not agree. */
export async function checkReproduction(
  order: ReproductionOrder,
  first: LayerManifest,
  neighbours: ReproductionNeighbours,
): Promise<Agreement> {
  const statement = await checkCandidate(order, first, neighbours);
  const { second } = order;
  if (statement.predicate.runDetails.metadata.invocationId === second.buildId) {
    throw new Refusal('reproduction-same-build', `${second.buildId} is the first build itself`);
  }
  const fetched = secondMaterials(order);
  const [before, after] = await readBoth(first, order, neighbours);
  const tarDigest = after.content.tar.digest;
  if (before.content.tar.digest === tarDigest) {
    return { statement, reproduced: { how: 'identical', buildId: second.buildId, tarDigest, differing: [] } };
  }
  const { differing, allowed } = before.listing.compare(after.listing);
  if (differing.length > 0) {
    const shown = differing.slice(0, NAMES_MAX).map(show).join(', ');
    throw new Refusal('reproduction-differs', `${differing.length} of its files differ: ${shown}`);
  }
  checkSameMaterials(materialsOf(statement) ?? [], fetched);
  return {
    statement,
    reproduced: { how: 'same-materials', buildId: second.buildId, tarDigest, differing: allowed.map(show) },
  };
}

/** The signed statement that the first manifest names, and that is about its layer. */
async function readFirstStatement(
  first: LayerManifest,
  { store, trusted }: ReproductionNeighbours,
): Promise<Statement> {
  if (first.provenance === null) throw new Refusal('reproduction-provenance', 'the first layer has no provenance');
  const stored = await readObject(store, provenanceKey(first.provenance), STATEMENT_BYTES_MAX);
  if (stored === null) throw new SystemError('conflict', `provenance ${first.provenance} is not in the store any more`);
  if (digestOf(stored) !== first.provenance) {
    throw new SystemError('layer-corrupt', `provenance ${first.provenance} holds other bytes than its name says`);
  }
  const statement = readStatement(openEnvelope(decodeEnvelope(stored), trusted, PROVENANCE_PAYLOAD_TYPE));
  if (statement === null) throw new Refusal('reproduction-provenance', "the first layer's statement can't be read");
  const { key, specDigest } = statement.predicate.buildDefinition.internalParameters;
  const subjects = statement.subject.map(({ digest }) => `sha256:${digest.sha256}`);
  if (key !== first.key || specDigest !== first.specDigest || !subjects.includes(first.tar.digest)) {
    throw new Refusal('reproduction-provenance', "the first layer's statement is about another layer");
  }
  return statement;
}

/** What the second build fetched, if that may be shared. */
function secondMaterials(order: ReproductionOrder): readonly Material[] {
  if (!areMaterialsComplete(order)) {
    throw new Refusal('reproduction-incomplete', 'not everything that the second build fetched is on record');
  }
  const materials = order.materials.filter((record) => record.kind === 'artefact');
  checkShareable(materials, order.signedPlainHttpUrls);
  return materials;
}

interface Reading {
  readonly content: LayerContent;
  readonly listing: LayerListing;
}

/** Both layers, read one after the other: the first as its signed manifest says that it is, the second as its builder said. */
async function readBoth(
  first: LayerManifest,
  { second }: ReproductionOrder,
  { store, stagingDirectory, bounds }: ReproductionNeighbours,
): Promise<readonly [Reading, Reading]> {
  const stored = await store.get(blobKey(first.blob.digest));
  if (stored === null) throw new SystemError('conflict', `${first.blob.digest} is not in the store any more`);
  const before = new LayerListing();
  const content = await readBlob(stored.body, stored.bytes, bounds, before);
  checkAgainstStaged(content, { ...first, buildId: second.buildId });
  const file = await openStaged(stagingDirectory, second.buildId);
  try {
    const after = new LayerListing();
    const found = await readStaged(file, bounds, after);
    checkAgainstStaged(found, second);
    return [
      { content, listing: before },
      { content: found, listing: after },
    ];
  } finally {
    await file.close();
  }
}

const show = (path: string): string => `/${Buffer.from(path, 'latin1').toString('utf8')}`;
