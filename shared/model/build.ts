/**
 * Owns what the coordinator, the builder and the verifier say to each other about one layer's build.
 * Never carries a store credential or a signing key; secrets are in the order only and never in an event.
 */
import { type Static, Type } from '@sinclair/typebox';
import { Closed, Nullable, OneOf, Variables } from './closed.ts';
import { EgressRecord, EgressRules } from './egress.ts';
import { baseNames, File, layerKinds, Script } from './environment.ts';
import { AllLimits } from './limits.ts';
import { Envelope, LayerReference, LayerSpec, Scope } from './manifest.ts';
import { Report } from './verdict.ts';

const DigestText = Type.String({ pattern: '^sha256:[0-9a-f]{64}$' });

/** One layer to build: `POST /builds` of the builder. */
export const BuildOrder = Closed({
  buildId: Type.String({ pattern: '^build_[0-9a-z]{8,64}$' }),
  weight: Type.Number({ exclusiveMinimum: 0, description: "The tenant's share of the builder's time." }),
  tenantId: Type.String({
    pattern: '^[0-9a-z-]{1,64}$',
    description: 'Whose layers may be parents besides shared ones.',
  }),
  kind: OneOf(layerKinds),
  base: OneOf(baseNames),
  parents: Type.Array(LayerReference, { description: 'Lowest first; empty for a base.' }),
  trust: Envelope,
  script: Script,
  files: Type.Array(File),
  variables: Variables,
  secrets: Variables,
  verify: Nullable(Script),
  limits: AllLimits,
  mark: Nullable(
    Type.String({
      pattern: '^sha256:[0-9a-f]{64}$',
      description: "Put into the layer if it turns out private, so that its bytes are nobody else's; null for a base.",
    }),
  ),
  isPrivate: Type.Boolean({
    description:
      'Is the layer private whatever its build does? Secrets, and credentials on its way, make it so as well.',
  }),
  egress: EgressRules,
  isStoreUsed: Type.Boolean({
    description: 'May kept artefacts be used? Not for a build that is to prove what the network gives.',
  }),
  executionId: Type.Optional(
    Type.String({ pattern: '^exec_[0-9a-z]{8,64}$', description: 'For which it is wanted first; for logs alone.' }),
  ),
});
export type BuildOrder = Static<typeof BuildOrder>;

/** What the builder staged: `<stagingDir>/<buildId>/layer.tar.zst`. */
export const StagedLayer = Closed({
  buildId: Type.String(),
  blob: Closed({ digest: DigestText, bytes: Type.Integer() }),
  tar: Closed({ digest: DigestText, bytes: Type.Integer(), entries: Type.Integer(), rules: Type.Integer() }),
  variables: Variables,
});
export type StagedLayer = Static<typeof StagedLayer>;

/** The phases of a build as its log shows them. */
export const buildPhases = [
  'fetching-parents',
  'running',
  'capturing',
  'verify-script',
  'publishing',
  'finished',
] as const;

/** What a build says is of one of these. */
export const buildStreams = ['stdout', 'stderr', 'network'] as const;

/** One line of the builder's answer. */
export const BuildEvent = Type.Union([
  Closed({ type: Type.Literal('phase'), phase: OneOf(buildPhases) }),
  Closed({ type: Type.Literal('log'), stream: OneOf(buildStreams), text: Type.String() }),
  Closed({
    type: Type.Literal('progress'),
    phase: OneOf(buildPhases),
    bytes: Type.Integer(),
    fraction: Nullable(Type.Number()),
  }),
  Closed({ type: Type.Literal('fetched'), requests: Type.Integer(), bytes: Type.Integer() }),
  Closed({
    type: Type.Literal('finished'),
    endedIn: Nullable(OneOf(['setup', 'dependencies', 'verify', 'base'])),
    report: Report,
    verify: Nullable(Report),
    layer: Nullable(StagedLayer),
    materials: Type.Array(EgressRecord),
    isNetworkUnreachable: Type.Boolean(),
    isPrivate: Type.Boolean(),
  }),
  Closed({ type: Type.Literal('broken'), code: Type.String(), detail: Type.String() }),
]);
export type BuildEvent = Static<typeof BuildEvent>;

/** What the verifier is asked to check, sign and write: `POST /publications`. */
export const PublicationOrder = Closed({
  staged: StagedLayer,
  key: Type.String(),
  spec: LayerSpec,
  scope: Scope,
  parents: Type.Array(DigestText),
  externalParameters: Type.Unknown({
    description: 'What the client asked for, verbatim, without secrets, for the provenance.',
  }),
  materials: Type.Array(EgressRecord),
  builtAt: Type.String(),
});
export type PublicationOrder = Static<typeof PublicationOrder>;

/** The verifier's answer: the signed manifest, which stands in the store now. */
export const Publication = Closed({ envelope: Envelope, isNew: Type.Boolean() });
export type Publication = Static<typeof Publication>;

/** An operator's decision to share a tenant's layer: `POST /promotions` of the verifier. */
export const PromotionOrder = Closed({ envelope: Envelope, key: Type.String() });
export type PromotionOrder = Static<typeof PromotionOrder>;

const candidateMembers = {
  first: Envelope,
  parents: Type.Array(Envelope, { description: 'Shared manifests of the layers below, lowest first.' }),
  signedPlainHttpUrls: Type.Array(Type.String(), {
    description: 'What may come by http://, since its client checks signatures: URLs in which * stands for anything.',
  }),
};

/** A tenant's layer that might become everybody's: `POST /reproductions/candidates` of the verifier, before it is built a second time. */
export const ReproductionCandidate = Closed(candidateMembers);
export type ReproductionCandidate = Static<typeof ReproductionCandidate>;

/**
 * A second build of a tenant's layer, made by the coordinator on nobody's account: `POST /reproductions` of the verifier, which compares
 * both and signs the first as everybody's when they agree.
 */
export const ReproductionOrder = Closed({
  ...candidateMembers,
  second: StagedLayer,
  materials: Type.Array(EgressRecord, {
    description: "What the second build fetched; the first one's are in its signed provenance.",
  }),
});
export type ReproductionOrder = Static<typeof ReproductionOrder>;
