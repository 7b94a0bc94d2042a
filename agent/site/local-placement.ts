/**
 * Owns whether this one agent is where a request wants to run. Pure; never chooses among several.
 */
import { SystemError } from '../../shared/errors.ts';
import type { PlacementRequest } from '../../shared/model/placement.ts';
import type { AgentFacts } from '../connection/session.ts';

/** Throws SystemError `no-agent` that says what this agent is not. */
export function checkPlacement(
  asked: PlacementRequest | undefined,
  agent: Pick<AgentFacts, 'pool' | 'labels' | 'architecture' | 'exclusiveCores'>,
): void {
  const { pool, labels = {}, architecture, exclusiveCore } = asked ?? {};
  const wrong: string[] = [];
  if (pool !== undefined && pool !== agent.pool) wrong.push(`its pool is ${agent.pool}`);
  if (architecture !== undefined && architecture !== agent.architecture)
    wrong.push(`its architecture is ${agent.architecture}`);
  if (exclusiveCore === true && agent.exclusiveCores !== true) wrong.push('its slots share their processors');
  for (const [name, value] of Object.entries(labels))
    if (agent.labels[name] !== value) wrong.push(`it has no label ${name}=${value}`);
  if (wrong.length === 0) return;
  throw new SystemError('no-agent', `this agent alone is asked here, and ${wrong.join(', ')}`);
}
