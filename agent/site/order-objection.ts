/**
 * Owns whether an order agrees with the policy of the agent's owner, by what can be checked here: the order's limits, and its layers as their signed
 * manifests and specifications say. The coordinator is believed in one thing, whose order it is.
 * Never fetches or runs anything. Invariant: the owner's own orders are never objected to.
 */
import { toSystemError } from '../../shared/errors.ts';
import { checkSpecs } from '../../shared/layers/layer-spec.ts';
import type { ManifestTrust } from '../../shared/layers/manifest-trust.ts';
import {
  findLastingObjection,
  findPassingObjection,
  type PolicyLayer,
  type SitePolicy,
  sharedSlots,
} from '../../shared/model/site-policy.ts';
import type { LeaseOrderMessage } from '../../shared/protocol/coordinator-messages.ts';
import { limitsOf } from '../../shared/protocol/lease-order.ts';

/** Why an order is refused; `lasting`: at any hour. */
export interface OrderObjection {
  readonly reason: string;
  readonly policy: 'lasting' | 'passing';
}

/** What an order is held against. */
export interface OrderTerms {
  readonly trust: Pick<ManifestTrust, 'open'>;
  readonly nowMs: number;
  readonly slots: number;
  /** Tenants of the leases that are held. */
  readonly holders: readonly string[];
}

/** See the head of this file. */
export function findOrderObjection(
  policy: SitePolicy,
  order: LeaseOrderMessage,
  { trust, nowMs, slots, holders }: OrderTerms,
): OrderObjection | null {
  const { tenantId } = order;
  const { owner } = policy;
  if (tenantId === owner) return null;
  let layers: PolicyLayer[];
  try {
    layers = readLayers(order, trust);
  } catch (error) {
    return { reason: `its layers can't be verified: ${toSystemError(error).message}`, policy: 'passing' };
  }
  const limits = limitsOf(order);
  const lasting = findLastingObjection(policy, { tenantId, layers, limits });
  if (lasting !== null) return { reason: lasting, policy: 'lasting' };
  const passing = findPassingObjection(policy, { tenantId, nowMs });
  if (passing !== null) return { reason: passing, policy: 'passing' };
  const shared = sharedSlots(policy, slots);
  const taken = holders.filter((holder) => holder !== owner).length;
  if (taken < shared) return null;
  const reason = `others have ${taken} of the ${shared} slots that ${owner} shares here`;
  return { reason, policy: shared === 0 ? 'lasting' : 'passing' };
}

function readLayers({ layers, tests }: LeaseOrderMessage, trust: Pick<ManifestTrust, 'open'>): PolicyLayer[] {
  const stacks = tests !== undefined && 'layers' in tests.check ? [layers, tests.check.layers] : [layers];
  return stacks.flatMap((stack) => {
    const manifests = stack.map(({ envelope }) => trust.open(envelope));
    checkSpecs(manifests, stack);
    return manifests.map(({ scope, base }, index) => ({ scope, base, egress: stack[index]?.spec.egress ?? '' }));
  });
}
