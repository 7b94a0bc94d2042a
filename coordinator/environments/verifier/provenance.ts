/**
 * Owns how a layer came to be, as an in-toto statement with SLSA provenance (https://slsa.dev/provenance/v1).
 * Never judges; never holds a secret: the coordinator leaves them out of `externalParameters`, the proxy out of its records.
 * Invariants: every body that reached the build, and every layer below, is a resolved dependency with its digest, and a body with where
 * its bytes came from: the upstream, what was kept of it, an operator's mirror; a statement that is read was signed by a trusted key and is the one that its digest names.
 */
import { type Static, Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { type Digest, digestHex } from '../../../shared/digest.ts';
import { digestOfSpec } from '../../../shared/layers/layer-spec.ts';
import type { PublicationOrder } from '../../../shared/model/build.ts';
import type { ArtefactRecord, EgressRecord } from '../../../shared/model/egress.ts';

/** DSSE payload type of an in-toto statement. */
export const PROVENANCE_PAYLOAD_TYPE = 'application/vnd.in-toto+json';

const LAYER_URI = 'urn:envicutor:layer';
const BUILD_TYPE = 'urn:envicutor:layer-build:1';
const BUILDER_ID = 'urn:envicutor:builder:1';

/**
 * What is said of a body that reached a build, here and in the proxy's records, as far as builds are compared by it: never by where its
 * bytes came from, which differs between a first build and a second one that may use nothing that was kept.
 */
export type Material = Pick<ArtefactRecord, 'url' | 'sha256' | 'method' | 'httpCode' | 'commits' | 'isWithCredentials'>;

/** As much of a statement of ours as is read again; the rest of it is kept as it is. */
const Statement = Type.Object({
  subject: Type.Array(Type.Object({ digest: Type.Object({ sha256: Type.String() }) })),
  predicate: Type.Object({
    buildDefinition: Type.Object({
      internalParameters: Type.Object({
        key: Type.String(),
        specDigest: Type.String(),
        areMaterialsComplete: Type.Boolean(),
      }),
      resolvedDependencies: Type.Array(
        Type.Object({
          uri: Type.String(),
          digest: Type.Object({ sha256: Type.String() }),
          annotations: Type.Optional(
            Type.Object({
              method: Type.Union([Type.Literal('GET'), Type.Literal('HEAD'), Type.Literal('POST')]),
              httpCode: Type.Integer(),
              commits: Type.Array(Type.String()),
              isWithCredentials: Type.Boolean(),
            }),
          ),
        }),
      ),
    }),
    runDetails: Type.Object({ metadata: Type.Object({ invocationId: Type.String() }) }),
  }),
});
/** A statement that was read; members beyond these are there as well. */
export type Statement = Static<typeof Statement>;
const statementCheck = TypeCompiler.Compile(Statement);

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
          specDigest: digestOfSpec(order.spec, order.parents),
          spec: order.spec,
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
export function areMaterialsComplete({ materials }: { readonly materials: readonly EgressRecord[] }): boolean {
  const isEnded = materials.length === 0 || materials.some(({ kind }) => kind === 'summary');
  const isDropped = materials.some((record) => record.kind === 'note' && record.code === 'records-dropped');
  return isEnded && !isDropped && materials.every((record) => record.kind !== 'artefact' || record.isComplete);
}

function toParent(digest: string): ResourceDescriptor {
  return { uri: LAYER_URI, digest: { sha256: digestHex(digest as Digest) } };
}

function toMaterials({ materials }: PublicationOrder): ResourceDescriptor[] {
  const found: ResourceDescriptor[] = [];
  for (const record of materials) {
    if (record.kind !== 'artefact') continue;
    const { url, sha256, method, httpCode, bytes, contentEncoding, location, commits, isWithCredentials } = record;
    const { source, mirror } = record;
    const annotations = {
      method,
      httpCode,
      bytes,
      contentEncoding,
      location,
      commits,
      isWithCredentials,
      source,
      mirror,
    };
    found.push({ uri: url, digest: { sha256 }, annotations });
  }
  return found;
}

/** The statement in a payload whose signature was checked, or null when it is none of ours. */
export function readStatement(payload: Uint8Array): Statement | null {
  const value: unknown = JSON.parse(Buffer.from(payload).toString('utf8'));
  return statementCheck.Check(value) ? value : null;
}

/** The materials that a statement names; null when one of them is not described. */
export function materialsOf({ predicate }: Statement): readonly Material[] | null {
  const found: Material[] = [];
  for (const { uri, digest, annotations } of predicate.buildDefinition.resolvedDependencies) {
    if (uri === LAYER_URI) continue;
    if (annotations === undefined) return null;
    found.push({ url: uri, sha256: digest.sha256, ...annotations });
  }
  return found;
}

/** How a second build of a layer ended. */
export interface Reproduced {
  readonly how: 'identical' | 'same-materials';
  readonly buildId: string;
  readonly tarDigest: string;
  /** Files that differ where they may. */
  readonly differing: readonly string[];
}

/** The first build's statement with what the second one showed, as bytes to be signed. */
export function describeReproduction(first: Statement, { how, buildId, tarDigest, differing }: Reproduced): Buffer {
  const { buildDefinition, runDetails } = first.predicate;
  const second = {
    name: 'reproduction',
    digest: { sha256: digestHex(tarDigest as Digest) },
    annotations: { invocationId: buildId, differing },
  };
  const internalParameters = { ...buildDefinition.internalParameters, reproduced: how };
  const predicate = {
    ...first.predicate,
    buildDefinition: { ...buildDefinition, internalParameters },
    runDetails: { ...runDetails, byproducts: [second] },
  };
  return Buffer.from(JSON.stringify({ ...first, predicate }));
}
