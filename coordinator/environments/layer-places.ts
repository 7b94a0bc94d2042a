/**
 * Owns where in the store a layer may stand that serves a demand. Pure; never reads the store.
 */
import { manifestKey, tenantScope } from '../../shared/layers/layer-manifest.ts';
import type { LayerDemand } from './layer-demand.ts';

/** The places, in the order in which they are looked at. */
export function placesOf({ keys, description, plan, tenantId }: LayerDemand): string[] {
  const own = tenantScope(tenantId);
  if (plan.kind === 'base') return [manifestKey('shared', keys.shareable)];
  if (description.isPrivate) return [manifestKey(own, keys.private)];
  return [manifestKey('shared', keys.shareable), manifestKey(own, keys.shareable), manifestKey(own, keys.private)];
}
