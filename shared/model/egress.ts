/**
 * Owns what the egress proxy is told (EgressConfig, one JSON document on its standard input) and what it tells (EgressRecord, one JSON
 * line each on its standard output).
 * Never holds a secret in a record: signed query strings and user information are stripped before; the config holds the CA's key and
 * is never stored or logged.
 * Invariant: every response body of which the build got even one byte has exactly one artefact record.
 */
import { type Static, Type } from '@sinclair/typebox';
import { Closed, Nullable, OneOf } from './closed.ts';

const HostPattern = Type.String({
  pattern: '^(\\*|(\\*\\.)?[a-z0-9_-]+(\\.[a-z0-9_-]+)*)$',
  maxLength: 253,
  description: 'A host name, `*.name` (every host below name, not name itself) or `*` (every host); lower case.',
});

const Range = Type.String({
  pattern: '^[0-9a-fA-F.:]+(/[0-9]{1,3})?$',
  description: 'An IPv4 or IPv6 address or range (CIDR).',
});

/** What a build may reach; deny beats allow. */
export const EgressPolicy = Closed({
  allowHosts: Type.Array(HostPattern, { description: 'Hosts that may be reached; ["*"] means any public host.' }),
  denyHosts: Type.Array(HostPattern, { description: 'Hosts that may not be reached, whatever allowHosts says.' }),
  allowedPrivateRanges: Type.Array(Range, {
    description: "Ranges that may be dialled although they are not public: an operator's own registry or mirror.",
  }),
  deniedRanges: Type.Array(Range, {
    description: 'Public ranges that may not be dialled; beats allowedPrivateRanges.',
  }),
  isPlainHttpAllowed: Type.Boolean({ description: 'May http:// be used? Signed package archives usually need it.' }),
});
export type EgressPolicy = Static<typeof EgressPolicy>;

/** Bounds of one build; what is above them is refused with a sentence. */
export const EgressQuotas = Closed({
  bytesMax: Type.Integer({ minimum: 0, description: 'Body bytes of all answers together.' }),
  connectionsMax: Type.Integer({ minimum: 1, description: 'Connections of the build at the same time.' }),
  requestsMax: Type.Integer({ minimum: 0 }),
  hostsMax: Type.Integer({ minimum: 0, description: 'Different host names of all requests together.' }),
  urlBytesMax: Type.Integer({ minimum: 1 }),
  headerBytesMax: Type.Integer({ minimum: 1024, description: 'Header of one request or one answer.' }),
  idleTimeoutMs: Type.Integer({ minimum: 1, description: 'An exchange in which nothing moves for so long is ended.' }),
  connectTimeoutMs: Type.Integer({ minimum: 1, description: 'Resolving, connecting and TLS with the upstream.' }),
});
export type EgressQuotas = Static<typeof EgressQuotas>;

/** The default bounds: generous for real package installs. */
export const defaultEgressQuotas: EgressQuotas = {
  bytesMax: 8 * 1024 ** 3,
  connectionsMax: 256,
  requestsMax: 50_000,
  hostsMax: 256,
  urlBytesMax: 16 * 1024,
  headerBytesMax: 64 * 1024,
  idleTimeoutMs: 60_000,
  connectTimeoutMs: 20_000,
};

/** The default policy: any public host. */
export const defaultEgressPolicy: EgressPolicy = {
  allowHosts: ['*'],
  denyHosts: [],
  allowedPrivateRanges: [],
  deniedRanges: [],
  isPlainHttpAllowed: true,
};

/** Everything that one proxy process needs; it reads nothing else. */
export const EgressConfig = Closed({
  buildId: Type.String({ minLength: 1, maxLength: 128 }),
  authority: Closed({ certificatePem: Type.String(), keyPem: Type.String() }),
  caBundlePath: Nullable(
    Type.String({
      description: "Roots that upstreams are verified with; null: the system's bundle, where systems keep it.",
    }),
  ),
  policy: EgressPolicy,
  quotas: EgressQuotas,
  upstreamProxy: Nullable(
    Type.String({
      pattern: '^http://',
      description:
        "The operator's own proxy, http://[user:password@]host:port, asked by CONNECT; it then resolves names.",
    }),
  ),
});
export type EgressConfig = Static<typeof EgressConfig>;

/** Why something was refused, or failed on the way. */
export const refusalCodes = [
  'request-invalid',
  'host-invalid',
  'host-denied',
  'plain-http-denied',
  'method-denied',
  'address-denied',
  'quota-exceeded',
  'name-unknown',
  'upstream-unreachable',
  'upstream-untrusted',
  'upstream-broken',
] as const;
/** One of `refusalCodes`. */
export type RefusalCode = (typeof refusalCodes)[number];

/** A body that reached the build, whole or in part: a material of the layer. */
export const ArtefactRecord = Closed({
  kind: Type.Literal('artefact'),
  url: Type.String({ description: 'Without user information and without signed query strings (`?…` then).' }),
  method: OneOf(['GET', 'HEAD', 'POST']),
  httpCode: Type.Integer(),
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$', description: 'Of the body as it was sent, still content-encoded.' }),
  bytes: Type.Integer({ minimum: 0 }),
  contentEncoding: Nullable(Type.String()),
  location: Nullable(Type.String({ description: 'Where a redirect pointed, absolute, stripped like url.' })),
  commits: Type.Array(Type.String(), {
    description: 'Object ids that a git fetch wanted: packs differ between answers.',
  }),
  isWithCredentials: Type.Boolean({ description: 'The request carried credentials: the environment becomes private.' }),
  isComplete: Type.Boolean({ description: 'False: the answer broke off, or the build did not wait for its end.' }),
});
export type ArtefactRecord = Static<typeof ArtefactRecord>;

/** Something that the build asked for and did not get; the sentence is what its client was told. */
export const RefusalRecord = Closed({
  kind: Type.Literal('refusal'),
  url: Type.String({ description: 'The URL, or as much of it as was known; stripped.' }),
  code: OneOf(refusalCodes),
  sentence: Type.String(),
});
export type RefusalRecord = Static<typeof RefusalRecord>;

/**
 * Something worth knowing that is no refusal: a client that distrusts the CA, an audit call that was turned away. `serving` is the first
 * line of every proxy, written before it answers anything: a proxy that said nothing let nothing through.
 */
export const NoteRecord = Closed({
  kind: Type.Literal('note'),
  code: OneOf(['serving', 'client-distrusts', 'client-protocol', 'audit-denied', 'records-dropped']),
  sentence: Type.String(),
});
export type NoteRecord = Static<typeof NoteRecord>;

/** The last record of a proxy that ended in order; without it the materials are not known to be complete. */
export const SummaryRecord = Closed({
  kind: Type.Literal('summary'),
  requests: Type.Integer(),
  artefacts: Type.Integer(),
  refusals: Type.Integer(),
  bytes: Type.Integer(),
  connections: Type.Integer(),
  hosts: Type.Integer(),
});
export type SummaryRecord = Static<typeof SummaryRecord>;

/** One line of the proxy's standard output. */
export const EgressRecord = Type.Union([ArtefactRecord, RefusalRecord, NoteRecord, SummaryRecord]);
export type EgressRecord = Static<typeof EgressRecord>;
