/**
 * Owns what a tenant's bounds are: its own, or the operator's defaults. Pure. Never counts what is used.
 * Invariant: 0 is no bound.
 */
import type { Quotas } from '../../shared/model/tenant.ts';
import type { CoordinatorConfig } from '../config.ts';
import type { Tenant } from './keys.ts';

/** The operator's defaults. */
export type QuotaDefaults = Pick<
  CoordinatorConfig,
  | 'tenantConcurrencyMax'
  | 'tenantQueueDepthMax'
  | 'tenantExecutionsPerMinuteMax'
  | 'tenantBuildSecondsMax'
  | 'tenantEgressBytesMax'
  | 'tenantStoredBytesMax'
>;

/** All bounds of a tenant. */
export function quotasOf({ quotas = {}, queueDepthMax }: Tenant, defaults: QuotaDefaults): Required<Quotas> {
  return {
    concurrencyMax: quotas.concurrencyMax ?? defaults.tenantConcurrencyMax,
    queueDepthMax: quotas.queueDepthMax ?? queueDepthMax ?? defaults.tenantQueueDepthMax,
    executionsPerMinuteMax: quotas.executionsPerMinuteMax ?? defaults.tenantExecutionsPerMinuteMax,
    buildSecondsMax: quotas.buildSecondsMax ?? defaults.tenantBuildSecondsMax,
    egressBytesMax: quotas.egressBytesMax ?? defaults.tenantEgressBytesMax,
    storedBytesMax: quotas.storedBytesMax ?? defaults.tenantStoredBytesMax,
  };
}
