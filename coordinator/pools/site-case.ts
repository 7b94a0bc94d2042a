/**
 * Owns a piece of work as pools see it: whose it is, what it runs on and may take, and to which pools of others its tenant said yes. Pure.
 * Never knows a pool. Invariant: work that no policy could tell apart has the same text.
 */
import { toCheckLimits } from '../../shared/model/check-limits.ts';
import type { ExecutionRequest } from '../../shared/model/execution.ts';
import { type AllLimits, resolveLimits } from '../../shared/model/limits.ts';
import type { PolicyCase } from '../../shared/model/site-policy.ts';
import type { ReadyEnvironment } from '../environments/environment-build.ts';
import type { Tenant } from '../tenants/keys.ts';

/** See the head of this file. */
export interface SiteCase extends Omit<PolicyCase, 'nowMs'> {
  /** Does it run on a private environment? */
  readonly isPrivate: boolean;
  /** Pools of others in which its tenant lets its work run. */
  readonly foreignPools: readonly string[];
  /** Pools besides its tenant's own in which that lets its private environments run. */
  readonly privatePools: readonly string[];
}

const none: readonly string[] = [];
const texts = new WeakMap<SiteCase, string>();

/** A text that is the same for work that no policy could tell apart. */
export function textOf(site: SiteCase): string {
  const known = texts.get(site);
  if (known !== undefined) return known;
  const { tenantId, isPrivate, foreignPools, privatePools, layers, limits } = site;
  const text = JSON.stringify([tenantId, isPrivate, foreignPools, privatePools, layers, limits]);
  texts.set(site, text);
  return text;
}

/** An execution as pools see it; without a ready environment what is known of its layers already. */
export function toSiteCase(
  { id: tenantId, foreignPools = none, privatePools = none }: Tenant,
  request: Pick<ExecutionRequest, 'compile' | 'run' | 'check'>,
  environment: Pick<ReadyEnvironment, 'layers' | 'isPrivate'>,
  maxima: AllLimits,
): SiteCase {
  const { compile, run } = request;
  const limits = [resolveLimits(run.limits ?? {}, 'run', maxima).limits];
  if (compile !== undefined) limits.push(resolveLimits(compile.limits ?? {}, 'compile', maxima).limits);
  const check = toCheckLimits(request, maxima);
  if (check !== null) limits.push(check.run, ...(check.compile === null ? [] : [check.compile]));
  return { ...toLayersCase({ id: tenantId, foreignPools, privatePools }, environment), limits };
}

/** Layers of a tenant as pools see them before anything runs on them. */
export function toLayersCase(
  { id: tenantId, foreignPools = none, privatePools = none }: Pick<Tenant, 'id' | 'foreignPools' | 'privatePools'>,
  { layers, isPrivate }: Pick<ReadyEnvironment, 'layers' | 'isPrivate'>,
): SiteCase {
  return {
    ...{ tenantId, foreignPools, privatePools, isPrivate, limits: [] },
    layers: layers.map(({ manifest, spec }) => ({ scope: manifest.scope, base: manifest.base, egress: spec.egress })),
  };
}
