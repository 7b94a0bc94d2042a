/**
 * Owns how it is known to placement, here and at other coordinators, which optional parts of orders an agent understands: by labels of its own that the
 * coordinator gives it. A coordinator that does not know of such a part gives none, so that work which needs it goes nowhere near.
 * Invariant: no agent has such a label because it says so.
 */
import type { Addition } from '../../shared/protocol/version.ts';

const PREFIX = 'envicutor/';
const parts: readonly Addition[] = ['order.terminal'];

/** The label that work wants which can't be done without this part. */
export function wantAbility(part: Addition): Record<string, string> {
  return { [`${PREFIX}${part}`]: 'understood' };
}

/** An agent's labels with those that it has for what it understands. */
export function labelAbilities(
  labels: Readonly<Record<string, string>>,
  understood: ReadonlySet<Addition>,
): Record<string, string> {
  const own = Object.entries(labels).filter(([name]) => !name.startsWith(PREFIX));
  const abilities = parts.filter((part) => understood.has(part)).map(wantAbility);
  return Object.assign(Object.fromEntries(own), ...abilities) as Record<string, string>;
}
