/**
 * Owns the operator's rules of the build network (EgressPolicyFile, EgressRules), what the egress proxy is told (EgressConfig, one JSON
 * document on its standard input) and what it tells (EgressRecord, one JSON line each on its standard output).
 * Never holds a secret in a record: signed query strings and user information are stripped before; the config holds the CA's key and
 * the artefact store's, and is never stored or logged.
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

/** A path that tells what it leads to. */
export const ImmutablePath = Closed({
  pattern: Type.String({
    minLength: 1,
    maxLength: 1000,
    description:
      'A regular expression (JavaScript) that the whole path matches; it never names a host, and a query never matches.',
  }),
  isRelease: Type.Boolean({
    description: 'Is it one version of something, so that the cool-down applies? Indexes named by digest are not.',
  }),
});
export type ImmutablePath = Static<typeof ImmutablePath>;

/** How old a release must be before a build gets it. */
export const CoolDown = Closed({
  days: Type.Integer({ minimum: 0, maximum: 3650, description: 'Age by Last-Modified; days; 0: no cool-down.' }),
  exemptHosts: Type.Array(HostPattern, {
    description: 'Hosts whose releases may be younger, for example security fixes.',
  }),
  whenUnknown: OneOf(['allow', 'refuse'], { description: 'What happens to a release that does not tell its age.' }),
});
export type CoolDown = Static<typeof CoolDown>;

/** An operator's own copy of a registry. */
export const Mirror = Closed({
  host: Type.String({
    pattern: '^[a-z0-9_-]+(\\.[a-z0-9_-]+)*$',
    maxLength: 253,
    description: 'The host that builds ask for.',
  }),
  url: Type.String({
    pattern: '^https?://[a-z0-9_.-]+(:[0-9]{1,5})?(/[^?#\\s]*)?$',
    maxLength: 2048,
    description: 'Where its requests go instead: https://name[:port][/prefix], no address by number, no query.',
  }),
});
export type Mirror = Static<typeof Mirror>;

/** What a build may reach, and under which rules; deny beats allow. */
export const EgressPolicy = Closed({
  name: Type.String({
    pattern: '^[\\x21-\\x7e]{1,64}$',
    description: 'How refusals call this policy; 1 to 64 visible characters.',
  }),
  allowHosts: Type.Array(HostPattern, { description: 'Hosts that may be reached; ["*"] means any public host.' }),
  denyHosts: Type.Array(HostPattern, { description: 'Hosts that may not be reached, whatever allowHosts says.' }),
  allowedPrivateRanges: Type.Array(Range, {
    description: "Ranges that may be dialled although they are not public: an operator's own registry or mirror.",
  }),
  deniedRanges: Type.Array(Range, {
    description: 'Public ranges that may not be dialled; beats allowedPrivateRanges.',
  }),
  isPlainHttpAllowed: Type.Boolean({ description: 'May http:// be used? Signed package archives usually need it.' }),
  coolDown: CoolDown,
  mirrors: Type.Array(Mirror, { maxItems: 256 }),
  immutablePaths: Type.Array(ImmutablePath, {
    maxItems: 256,
    description: 'URLs that never change: kept answers to them are served again without asking.',
  }),
});
export type EgressPolicy = Static<typeof EgressPolicy>;

/** Bounds of one build; what is above them is refused with a sentence. */
export const EgressQuotas = Closed({
  bytesMax: Type.Integer({ minimum: 0, description: 'Body bytes of all answers together.' }),
  connectionsMax: Type.Integer({ minimum: 1, description: 'Connections of the build at the same time.' }),
  requestsMax: Type.Integer({ minimum: 0, description: 'Requests, refused ones too.' }),
  hostsMax: Type.Integer({ minimum: 0, description: 'Different host names of all requests together.' }),
  urlBytesMax: Type.Integer({ minimum: 1, description: 'Path and query of one request.' }),
  headerBytesMax: Type.Integer({ minimum: 1024, description: 'Header of one request or one answer.' }),
  idleTimeoutMs: Type.Integer({ minimum: 1, description: 'An exchange in which nothing moves for so long is ended.' }),
  connectTimeoutMs: Type.Integer({ minimum: 1, description: 'Resolving, connecting and TLS with the upstream.' }),
});
export type EgressQuotas = Static<typeof EgressQuotas>;

/** All that the operator says about the build network; the coordinator sends it with every order. */
export const EgressRules = Closed({ policy: EgressPolicy, quotas: EgressQuotas });
export type EgressRules = Static<typeof EgressRules>;

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

const shape = (pattern: string, isRelease: boolean): ImmutablePath => ({ pattern, isRelease });

/** Shapes of paths under which package registries never change what they gave out once. */
export const defaultImmutablePaths: readonly ImmutablePath[] = [
  // Debian archives: packages and sources by version, indexes by digest
  shape('.*/pool/.+\\.(u?deb|dsc|diff\\.gz|tar\\.(gz|xz|bz2|zst)(\\.asc)?)', true),
  shape('.*/by-hash/(MD5Sum|SHA1|SHA256|SHA512)/[0-9a-f]{32,128}', false),
  // Python: wheels and sdists below folders named by digest; their metadata may be younger than they are
  shape('.*/packages/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{60}/[^/]+\\.(whl|tar\\.gz|tar\\.bz2|zip)', true),
  shape('.*/packages/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{60}/[^/]+\\.metadata', false),
  // npm: /name/-/name-version.tgz, scoped or not
  shape('.*/([^/@]+)/-/\\1-[0-9][^/]*\\.tgz', true),
  // crates
  shape('.*/([^/]+)/\\1-[0-9][^/]*\\.crate', true),
  shape('.*/crates/[^/]+/[0-9][^/]*/download', true),
  // Go: a version's info, go.mod and zip (a branch's info is none of these), full tiles of the checksum database
  shape('/.+/@v/v[0-9]+\\.[0-9]+\\.[0-9]+[^/]*\\.(info|mod|zip)', true),
  shape('.*/tile/[0-9]+/([0-9]+|data)/(x[0-9]{3}/)*[0-9]{3}', false),
  // Maven: artefact-version… in the folder of its version, never a snapshot
  shape('.*/([^/]+)/((?=[^/]*[0-9])(?![^/]*SNAPSHOT)[^/]+)/\\1-\\2[.-][^/]*', true),
];

/** The default policy: any public host. */
export const defaultEgressPolicy: EgressPolicy = {
  name: 'any-public-host',
  allowHosts: ['*'],
  denyHosts: [],
  allowedPrivateRanges: [],
  deniedRanges: [],
  isPlainHttpAllowed: true,
  coolDown: { days: 0, exemptHosts: [], whenUnknown: 'allow' },
  mirrors: [],
  immutablePaths: [...defaultImmutablePaths],
};

const { properties } = EgressPolicy;

/** The operator's file: what it leaves out is as in the default policy. */
export const EgressPolicyFile = Closed({
  name: properties.name,
  allowHosts: Type.Optional(properties.allowHosts),
  denyHosts: Type.Optional(properties.denyHosts),
  allowedPrivateRanges: Type.Optional(properties.allowedPrivateRanges),
  deniedRanges: Type.Optional(properties.deniedRanges),
  isPlainHttpAllowed: Type.Optional(properties.isPlainHttpAllowed),
  coolDown: Type.Optional(CoolDown),
  mirrors: Type.Optional(properties.mirrors),
  immutablePaths: Type.Optional(properties.immutablePaths),
  quotas: Type.Optional(Type.Partial(EgressQuotas, { additionalProperties: false })),
});
export type EgressPolicyFile = Static<typeof EgressPolicyFile>;

/** A file with everything filled in. */
export function toEgressRules({ quotas, ...policy }: EgressPolicyFile): EgressRules {
  return { policy: { ...defaultEgressPolicy, ...policy }, quotas: { ...defaultEgressQuotas, ...quotas } };
}

/** The builder's store of artefacts as one proxy may use it. */
export const ArtefactStoreAccess = Closed({
  directory: Type.String({ pattern: '^/' }),
  key: Type.String({ pattern: '^[0-9a-f]{64}$', description: 'Authenticates entries; never in a record.' }),
  tenantId: Type.String({ minLength: 1, maxLength: 64, description: 'Whose plain-http answers may be used.' }),
  bodyBytesMax: Type.Integer({ minimum: 0, description: 'Larger bodies are not kept.' }),
  roomBytes: Type.Integer({ minimum: 0, description: 'What this build may add.' }),
});
export type ArtefactStoreAccess = Static<typeof ArtefactStoreAccess>;

/** Everything that one proxy process needs; it reads nothing else. */
export const EgressConfig = Closed({
  buildId: Type.String({ pattern: '^[0-9A-Za-z_-]{1,128}$' }),
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
  store: Nullable(ArtefactStoreAccess),
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
  'too-young',
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
  source: OneOf(['upstream', 'revalidated', 'stored'], {
    description:
      "Whose bytes they are: the upstream's, or kept ones of which it said just now, or once, that they are its own.",
  }),
  mirror: Nullable(Type.String({ description: "The operator's mirror that was asked in place of the URL's host." })),
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
  code: OneOf([
    'serving',
    'client-distrusts',
    'client-protocol',
    'audit-denied',
    'records-dropped',
    'artefact-dropped',
    'store-unusable',
  ]),
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
