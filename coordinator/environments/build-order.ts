/**
 * Owns what the builder is told to build: a layer that is wanted, as an order, with the layers below as references. Pure.
 * Never decides who may have a layer.
 */
import { type Digest, digestOf } from '../../shared/digest.ts';
import { PRIVATE_PREFIX } from '../../shared/layers/layer-spec.ts';
import type { BuildOrder } from '../../shared/model/build.ts';
import type { EgressRules } from '../../shared/model/egress.ts';
import type { Envelope, LayerReference } from '../../shared/model/manifest.ts';
import { baseLimits } from './environment-key.ts';
import type { LayerDemand } from './layer-demand.ts';
import type { LayerUrls } from './layer-urls.ts';
import type { SpecifiedLayer } from './manifest.ts';

/** The reference by which somebody else gets a layer. */
export function toReference(layer: SpecifiedLayer, urls: LayerUrls, origin: 'stored' | 'built'): LayerReference {
  return { spec: layer.spec, envelope: layer.envelope, url: urls.urlOf(layer.manifest.blob.digest as Digest), origin };
}

/** What an order takes from its time and its tenant. */
export interface BuildSetting {
  readonly urls: LayerUrls;
  readonly egress: EgressRules;
  readonly trust: Envelope;
  /** The tenant's share of the builder's time. */
  readonly weight: number;
}

/** What stands on a private layer may show what is in it. */
const isPrivateLayer = ({ manifest }: SpecifiedLayer): boolean => manifest.key.startsWith(PRIVATE_PREFIX);

/** The order for a layer that is wanted. */
export function toBuildOrder(
  buildId: BuildOrder['buildId'],
  { tenantId, description, plan, parents, keys, executionId }: LayerDemand,
  { urls, egress, trust, weight }: BuildSetting,
): BuildOrder {
  const isBase = plan.kind === 'base';
  return {
    buildId,
    tenantId,
    weight,
    kind: plan.kind,
    base: description.base,
    parents: parents.map((layer) => toReference(layer, urls, 'stored')),
    trust,
    script: plan.script,
    files: isBase ? [] : [...description.files],
    variables: isBase ? {} : description.variables,
    secrets: isBase ? {} : description.secrets,
    verify: plan.verify,
    limits: isBase ? baseLimits : description.limits,
    // The key itself names the layer in the store, which is nothing for a program to see.
    mark: isBase ? null : digestOf(keys.private),
    isPrivate: !isBase && (description.isPrivate || parents.some(isPrivateLayer)),
    egress,
    isStoreUsed: true,
    ...(executionId === undefined ? {} : { executionId }),
  };
}
