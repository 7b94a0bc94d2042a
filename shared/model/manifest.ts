/**
 * Owns the manifest of a layer: what the verifier signs and agents check.
 * Invariant: everything that an agent needs to decide whether these bytes are the layer it was asked to use is in here.
 */
import { type Static, Type } from '@sinclair/typebox';
import { Closed, Nullable, OneOf, Variables } from './closed.ts';
import { layerKinds } from './environment.ts';

const digestText = { pattern: '^sha256:[0-9a-f]{64}$' };
const DigestText = Type.String(digestText);

/** Architectures of machines and of the layers that they run. */
export const architectures = ['x86_64', 'aarch64'] as const;

/** `shared`, or one tenant's. */
export const Scope = Type.String({ pattern: '^(shared|tenant-[0-9a-z-]{1,64})$' });
export type Scope = Static<typeof Scope>;

/**
 * Everything that we control and the build of one layer can observe, but for the layers below. Whoever asks for a layer says it, the verifier
 * signs its digest, and whoever uses the layer compares both.
 */
export const LayerSpec = Closed({
  kind: OneOf(layerKinds),
  base: Type.String(),
  architecture: OneOf(architectures),
  script: DigestText,
  verify: Nullable(DigestText),
  observable: Nullable(
    Type.String({
      ...digestText,
      description: 'Digest of files, variables and marks of secrets; null for a base, which sees none.',
    }),
  ),
  limits: DigestText,
  egress: Type.String({ description: 'Digest of the rules of the network that the build had.' }),
  capture: Type.Integer({ minimum: 1, description: 'Version of the capture rules.' }),
  builder: Type.Integer({ minimum: 1, description: "Version of the builder's way of running scripts." }),
  epoch: Type.String(),
  salt: Type.String({ ...digestText, description: "Digest of the operator's salt." }),
  generation: Type.String({ maxLength: 256, description: 'Empty, or what tells this build from the one before.' }),
});
export type LayerSpec = Static<typeof LayerSpec>;

/** The signed statement about one layer. */
export const LayerManifest = Closed({
  version: Type.Literal(1),
  key: Type.String({
    pattern: '^[0-9a-z-]{8,128}$',
    description: 'Content key of the layer: digest of all that the build could observe.',
  }),
  specDigest: DigestText,
  scope: Scope,
  kind: OneOf(layerKinds),
  base: Type.String(),
  architecture: OneOf(architectures),
  parents: Type.Array(DigestText, { description: 'Tar digests of the layers below, lowest first.' }),
  blob: Closed({ digest: DigestText, bytes: Type.Integer({ minimum: 0 }), codec: Type.Literal('zstd') }),
  tar: Closed({
    digest: DigestText,
    bytes: Type.Integer({ minimum: 0 }),
    entries: Type.Integer({ minimum: 0 }),
    rules: Type.Integer({ minimum: 1 }),
  }),
  variables: Variables,
  builtAt: Type.String(),
  provenance: Nullable(DigestText),
});
export type LayerManifest = Static<typeof LayerManifest>;

const Signature = Closed(
  { keyid: Type.String({ description: 'Which key.' }), sig: Type.String({ description: 'Ed25519; base64.' }) },
  { title: 'Signature', description: 'One signature of an envelope.' },
);

/** A DSSE envelope: payload and signatures are base64. */
export const Envelope = Closed(
  {
    payloadType: Type.String({ description: 'Media type of the payload.' }),
    payload: Type.String({ description: 'What is signed; base64.' }),
    signatures: Type.Array(Signature, { minItems: 1, maxItems: 8, description: 'Each of another key.' }),
  },
  { title: 'Envelope', description: 'A DSSE envelope.' },
);
export type Envelope = Static<typeof Envelope>;

/** A public key that may sign manifests: SPKI DER in base64. */
export const TrustedKey = Closed({ keyid: Type.String(), publicKey: Type.String() });
export type TrustedKey = Static<typeof TrustedKey>;

/** A layer as it is handed to somebody who will mount it: what it is to be, the signed manifest, and where its blob can be had. */
export const LayerReference = Closed({
  spec: LayerSpec,
  envelope: Envelope,
  url: Type.String(),
  origin: OneOf(['stored', 'built']),
});
export type LayerReference = Static<typeof LayerReference>;
