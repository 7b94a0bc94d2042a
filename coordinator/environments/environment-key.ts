/**
 * Owns identity: which requests are the same environment (`env_…`) and which builds give the same layer (its content key).
 * Never reads a clock, a store or the network: the same inputs give the same text for ever; test vectors hold it still.
 * Invariants: everything that we control and a build can observe is in its key; a secret's value is in no digest but under a tenant's key.
 */
import { createHash, createHmac } from 'node:crypto';
import { type Canonical, canonicalJson, digestOf } from '../../shared/digest.ts';
import { type EnvironmentId, toBase32 } from '../../shared/ids.ts';
import { encodeSpec, KEY_DOMAIN, lengthOf, PRIVATE_PREFIX, shareableKey } from '../../shared/layers/layer-spec.ts';
import type { EnvironmentRequest, File, LayerKind } from '../../shared/model/environment.ts';
import { type AllLimits, buildLimitMaxima, resolveLimits } from '../../shared/model/limits.ts';
import type { LayerSpec } from '../../shared/model/manifest.ts';
import { CAPTURE_RULES_VERSION } from '../builder/capture-rules.ts';

/** Raise when the builder's way of running scripts changes what they can observe. */
export const BUILDER_VERSION = 1;

/** A tenant's own key: makes private things unguessable for everybody else. */
export interface TenantKey {
  readonly tenantId: string;
  readonly key: Uint8Array;
}

/** What the operator's settings add to every layer key. */
export interface KeySettings {
  readonly architecture: LayerSpec['architecture'];
  readonly egressPolicyId: string;
  readonly epoch: string;
  readonly salt: string;
}

/** An environment request with everything filled in. */
export interface EnvironmentDescription {
  readonly id: EnvironmentId;
  readonly request: EnvironmentRequest;
  readonly base: 'debian-13' | 'debian-12';
  /** Null: there is no such layer. */
  readonly setup: string | null;
  readonly dependencies: string | null;
  readonly verify: string | null;
  readonly files: readonly File[];
  readonly variables: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
  readonly limits: AllLimits;
  readonly isPrivate: boolean;
  /** What scripts can observe of files, variables and secrets, canonical. */
  readonly observable: Canonical;
}

const hasMembers = (record: Readonly<Record<string, string>>) => Object.keys(record).length > 0;

function toObservable(
  files: readonly File[],
  variables: Readonly<Record<string, string>>,
  secrets: Readonly<Record<string, string>>,
  tenant: TenantKey,
): Canonical {
  const marked: [string, string][] = Object.entries(secrets).map(([name, value]) => [
    name,
    createHmac('sha256', tenant.key).update(`secret\0${value}`).digest('hex'),
  ]);
  return {
    files: files
      .map(({ path, content, encoding, executable }) => ({
        path,
        sha256: digestOf(Buffer.from(content, encoding ?? 'utf8')),
        executable: executable ?? false,
      }))
      .sort((a, b) => (a.path < b.path ? -1 : 1)),
    variables: { ...variables },
    secrets: Object.fromEntries(marked),
  };
}

/** Does a request ask for an environment that is its tenant's alone? */
export function isPrivateRequest({ visibility, secrets = {} }: EnvironmentRequest): boolean {
  return visibility === 'private' || hasMembers(secrets);
}

/** Fills in what a request leaves out and gives it its id. */
export function describeEnvironment(request: EnvironmentRequest, tenant: TenantKey): EnvironmentDescription {
  const { base = 'debian-13', files = [], variables = {}, secrets = {} } = request;
  const isPrivate = isPrivateRequest(request);
  const { limits } = resolveLimits(request.limits ?? {}, 'build', buildLimitMaxima);
  const dependencies = request.dependencies ?? null;
  const verify = request.verify ?? null;
  // A base is nobody's own: what is to be verified needs a layer of its own, be it an empty one.
  const setup = request.setup ?? (verify !== null && dependencies === null ? '' : null);
  const observable = toObservable(files, variables, secrets, tenant);
  const identity = canonicalJson({ version: 1, base, setup, dependencies, verify, isPrivate, observable, limits });
  const digest = isPrivate
    ? createHmac('sha256', tenant.key).update(`environment/v1\0${identity}`).digest()
    : createHash('sha256').update(`environment/v1\0${identity}`).digest();
  const id = `env_${toBase32(digest)}` as EnvironmentId;
  return { id, request, base, setup, dependencies, verify, files, variables, secrets, limits, isPrivate, observable };
}

/** The request as it may be stored: secrets keep their names only. */
export function withoutSecrets(request: EnvironmentRequest): EnvironmentRequest {
  if (request.secrets === undefined) return request;
  return { ...request, secrets: Object.fromEntries(Object.keys(request.secrets).map((name) => [name, ''])) };
}

/** One layer that an environment needs, before its parents are known. */
export interface LayerPlan {
  readonly kind: LayerKind;
  readonly script: string;
  readonly verify: string | null;
}

/** Bases are built under the platform's own limits, whoever is first. */
export const baseLimits: AllLimits = resolveLimits({}, 'build', buildLimitMaxima).limits;

/** The layers of an environment, lowest first. */
export function planLayers(description: EnvironmentDescription): LayerPlan[] {
  const { setup, dependencies, verify } = description;
  const plans: LayerPlan[] = [{ kind: 'base', script: '', verify: null }];
  if (setup !== null) plans.push({ kind: 'setup', script: setup, verify: dependencies === null ? verify : null });
  if (dependencies !== null) plans.push({ kind: 'dependencies', script: dependencies, verify });
  return plans;
}

/** The keys of one layer, and what they are made from. */
export interface LayerKeys {
  readonly spec: LayerSpec;
  /** Good for `shared` and for a tenant's own copy; starts with k1s. */
  readonly shareable: string;
  /** Good in the tenant's own scope only; starts with k1t. */
  readonly private: string;
}

/** The generation of a key that takes the place of a revoked one: the same for everybody who knows that key, and known beforehand to nobody else. */
export function generationAfter(revoked: LayerKeys): string {
  return `after ${revoked.shareable}`;
}

/** The specification of a layer; `generation` is '' or what tells a build from the one before. */
export function toLayerSpec(
  description: EnvironmentDescription,
  plan: LayerPlan,
  generation: string,
  settings: KeySettings,
): LayerSpec {
  const isBase = plan.kind === 'base';
  return {
    kind: plan.kind,
    base: description.base,
    architecture: settings.architecture,
    script: digestOf(plan.script),
    verify: plan.verify === null ? null : digestOf(plan.verify),
    observable: isBase ? null : digestOf(canonicalJson(description.observable)),
    limits: digestOf(canonicalJson(isBase ? baseLimits : description.limits)),
    egress: settings.egressPolicyId,
    capture: CAPTURE_RULES_VERSION,
    builder: BUILDER_VERSION,
    epoch: settings.epoch,
    salt: digestOf(settings.salt),
    generation,
  };
}

/** The content keys of a layer of this specification on parents with these tar digests. */
export function layerKeys(spec: LayerSpec, parents: readonly string[], tenant: TenantKey): LayerKeys {
  const encoded = encodeSpec(spec, parents);
  const own = createHmac('sha256', tenant.key)
    .update(`${KEY_DOMAIN}tenant\0`)
    .update(lengthOf(encoded))
    .update(encoded);
  return {
    spec,
    shareable: shareableKey(encoded),
    private: `${PRIVATE_PREFIX}${toBase32(own.digest())}`,
  };
}

/** A text that changes whenever the operator's settings would change every key. */
export function settingsFingerprint(settings: KeySettings): string {
  const { architecture, egressPolicyId, epoch, salt } = settings;
  return digestOf(canonicalJson([architecture, egressPolicyId, epoch, salt, BUILDER_VERSION, CAPTURE_RULES_VERSION]));
}
