/**
 * Owns which deliveries are told in another protocol's words: those of executions that were asked for by a room that is served. Never sends.
 * Invariant: that an execution is a room's is read from what the room wrote with it, and checked; everything else is told natively.
 */
import type { Execution } from '../../shared/model/execution.ts';
import type { Recipe } from '../../shared/recipes/recipe.ts';
import type { DeliveriesDeps } from '../deliveries/deliveries.ts';
import type { CompatibleProtocol } from './compatibility-settings.ts';
import { toCallbackBody } from './judge0/judge0-answer.ts';
import { Languages } from './judge0/judge0-languages.ts';

/** The translation of what is delivered; judge0 alone has callbacks. */
export function translateDeliveries(
  served: readonly CompatibleProtocol[],
  recipes: readonly Recipe[],
): NonNullable<DeliveriesDeps['translate']> {
  if (!served.includes('judge0')) return () => null;
  const languages = new Languages(recipes);
  return (execution: Execution) => {
    const body = toCallbackBody(execution, languages);
    return body === null ? null : { method: 'PUT', body };
  };
}
