/**
 * Owns pieces of work as pools see them, for tests: ordinary ones of a tenant that said nothing about pools, with changes.
 */
import type { SiteCase } from '../../coordinator/pools/site-case.ts';

/** Work of a tenant on a shared base. */
export function siteOf(tenantId: string, changes: Partial<SiteCase> = {}): SiteCase {
  return {
    ...{ tenantId, isPrivate: false, foreignPools: [], privatePools: [], limits: [] },
    layers: [{ scope: 'shared', base: 'debian-13', egress: 'any' }],
    ...changes,
  };
}
