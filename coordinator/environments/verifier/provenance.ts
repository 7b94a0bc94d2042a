/**
 * Owns how a layer came to be, as an in-toto statement with SLSA provenance (https://slsa.dev/provenance/v1).
 * Never judges; never holds a secret: the coordinator leaves them out of `externalParameters`, the proxy out of its records.
 * Invariant: every body that reached the build, and every layer below, is a resolved dependency with its digest.
 */
import { type Digest, digestHex } from '../../../shared/digest.ts';
import type { PublicationOrder } from '../../../shared/model/build.ts';

/** DSSE payload type of an in-toto statement. */
export const PROVENANCE_PAYLOAD_TYPE = 'application/vnd.in-toto+json';

const BUILD_TYPE = 'urn:envicutor:layer-build:1';
const BUILDER_ID = 'urn:envicutor:builder:1';

interface ResourceDescriptor {
  readonly uri: string;
  readonly digest?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, unknown>>;
}

/** The statement about a layer, as bytes to be signed. */
export function describeProvenance(order: PublicationOrder): Buffer {
  return Buffer.from(JSON.stringify(toStatement(order)));
}

function toStatement(order: PublicationOrder): object {
  const { staged } = order;
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [
      { name: 'layer.tar.zst', digest: { sha256: digestHex(staged.blob.digest as Digest) } },
      { name: 'layer.tar', digest: { sha256: digestHex(staged.tar.digest as Digest) } },
    ],
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: BUILD_TYPE,
        externalParameters: order.externalParameters,
        internalParameters: {
          key: order.key,
          specDigest: order.specDigest,
          kind: order.kind,
          base: order.base,
          architecture: order.architecture,
          captureRules: staged.tar.rules,
          areMaterialsComplete: areMaterialsComplete(order),
        },
        resolvedDependencies: [...order.parents.map(toParent), ...toMaterials(order)],
      },
      runDetails: {
        builder: { id: BUILDER_ID },
        metadata: { invocationId: staged.buildId, finishedOn: order.builtAt },
      },
    },
  };
}

/** Did the proxy end in order and see every body to its end? */
function areMaterialsComplete({ materials }: PublicationOrder): boolean {
  const isEnded = materials.length === 0 || materials.some(({ kind }) => kind === 'summary');
  const isDropped = materials.some((record) => record.kind === 'note' && record.code === 'records-dropped');
  return isEnded && !isDropped && materials.every((record) => record.kind !== 'artefact' || record.isComplete);
}

function toParent(digest: string): ResourceDescriptor {
  return { uri: 'urn:envicutor:layer', digest: { sha256: digestHex(digest as Digest) } };
}

function toMaterials({ materials }: PublicationOrder): ResourceDescriptor[] {
  const found: ResourceDescriptor[] = [];
  for (const record of materials) {
    if (record.kind !== 'artefact') continue;
    const { url, sha256, method, httpCode, bytes, contentEncoding, location, commits, isWithCredentials } = record;
    const annotations = { method, httpCode, bytes, contentEncoding, location, commits, isWithCredentials };
    found.push({ uri: url, digest: { sha256 }, annotations });
  }
  return found;
}
