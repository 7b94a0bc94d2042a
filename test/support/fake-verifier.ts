/**
 * Owns a verifier that checks nothing: real keys, real signatures, the real signers of trust states and agents' keys, manifests into a real store.
 * Never reads a staged file: what a build's last event says is believed.
 */
import type { IncomingMessage } from 'node:http';
import { json } from 'node:stream/consumers';
import { AgentKeySigner } from '../../coordinator/environments/verifier/agent-key-signer.ts';
import { PublicationsUnderWay } from '../../coordinator/environments/verifier/publications-under-way.ts';
import { SigningKeys } from '../../coordinator/environments/verifier/signing-key.ts';
import { Sweeper } from '../../coordinator/environments/verifier/sweeper.ts';
import { TrustSigner } from '../../coordinator/environments/verifier/trust-signer.ts';
import type { RotationStep } from '../../coordinator/environments/verifier-client.ts';
import { systemClock } from '../../shared/clock.ts';
import { SystemError, toSystemError } from '../../shared/errors.ts';
import { encodeEnvelope, manifestKey, openManifest, signManifest } from '../../shared/layers/layer-manifest.ts';
import { digestOfSpec } from '../../shared/layers/layer-spec.ts';
import { silentLogger } from '../../shared/logger.ts';
import type { AgentKeyOrder } from '../../shared/model/agent-keys.ts';
import type { PromotionOrder, PublicationOrder, ReproductionOrder } from '../../shared/model/build.ts';
import type { LayerManifest, LayerSpec } from '../../shared/model/manifest.ts';
import type { SweepOrder } from '../../shared/model/sweep.ts';
import type { TrustOrder } from '../../shared/model/trust.ts';
import { describeBytes, type ObjectStore } from '../../shared/storage/object-store.ts';

/** What the signed specification of a publication becomes; as it was asked for, unless a test has the verifier err. */
export interface Slips {
  signedAs: (spec: LayerSpec) => LayerSpec;
}

/** Reproductions that were asked for, and what both questions about them are refused with; null: they are granted. */
export interface AskedReproductions {
  readonly reproductions: ReproductionOrder[];
  readonly refusals: { candidate: string | null; reproduction: string | null };
}

/** Answers of a verifier whose keys are in this folder; rejects for what it does not know. */
export async function openFakeVerifier(directory: string, store: ObjectStore, asked: AskedReproductions & Slips) {
  const keys = await SigningKeys.open(directory);
  const quiet = { clock: systemClock, logger: silentLogger };
  const trust = await TrustSigner.open({ directory, keys, lifetimeMs: 3_600_000, ...quiet });
  const agentKeys = await AgentKeySigner.open({ directory, keys, trust, clock: systemClock });
  const sweeper = new Sweeper({ store, underWay: new PublicationsUnderWay(), ...quiet });
  const write = async (manifest: LayerManifest) => {
    const envelope = signManifest(manifest, keys.signing);
    const stored = encodeEnvelope(envelope);
    await store.put(manifestKey(manifest.scope, manifest.key), stored, describeBytes(stored));
    return { envelope, isNew: true };
  };
  const promote = ({ envelope }: PromotionOrder) => write({ ...openManifest(envelope, keys.trusted), scope: 'shared' });
  const publish = ({ staged, externalParameters: _, materials: __, spec, ...rest }: PublicationOrder) => {
    const { blob, tar, variables } = staged;
    const { kind, base, architecture } = spec;
    const specDigest = digestOfSpec(asked.signedAs(spec), rest.parents);
    return write({
      ...rest,
      kind,
      base,
      architecture,
      specDigest,
      version: 1,
      blob: { ...blob, codec: 'zstd' },
      tar,
      variables,
      provenance: null,
    });
  };
  const reproduce = (order: ReproductionOrder) => {
    asked.reproductions.push(order);
    const { reproduction } = asked.refusals;
    if (reproduction !== null) throw new SystemError('publication-refused', reproduction);
    return write({ ...openManifest(order.first, keys.trusted), scope: 'shared' });
  };
  const checkCandidate = () => {
    const { candidate } = asked.refusals;
    if (candidate !== null) throw new SystemError('publication-refused', candidate);
    return { isCandidate: true };
  };
  const answer = async (request: IncomingMessage): Promise<unknown> => {
    if (request.method === 'GET') return keys.list();
    const order = await json(request);
    if (request.url === '/reproductions') return await reproduce(order as ReproductionOrder);
    if (request.url === '/reproductions/candidates') return checkCandidate();
    if (request.url === '/trust') return await trust.sign((order as TrustOrder).revocations);
    if (request.url === '/agent-keys') return await agentKeys.sign((order as AgentKeyOrder).agents);
    if (request.url === '/sweeps') return await sweeper.sweep(order as SweepOrder);
    if (request.url === '/promotions') return await promote(order as PromotionOrder);
    if (request.url?.startsWith('/keys/')) return await trust[request.url.slice(6) as RotationStep]();
    return await publish(order as PublicationOrder);
  };
  /** Code and body of an answer. */
  return async (request: IncomingMessage): Promise<{ code: number; body: unknown }> => {
    try {
      return { code: 200, body: await answer(request) };
    } catch (error) {
      const { http, code, message } = toSystemError(error);
      return { code: http, body: { code, detail: message } };
    }
  };
}
