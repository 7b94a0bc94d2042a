/**
 * Owns docs/lifecycles.md: every lifecycle's table as a diagram.
 * Never draws a transition that the table lacks.
 */
import { connectionLifecycle } from '../../shared/lifecycle/agent.ts';
import { buildLifecycle } from '../../shared/lifecycle/build.ts';
import { deliveryLifecycle } from '../../shared/lifecycle/delivery.ts';
import { executionLifecycle } from '../../shared/lifecycle/execution.ts';
import { notice } from './markdown.ts';

/** The text of docs/lifecycles.md. */
export function toLifecyclesPage(): string {
  const lifecycles = [executionLifecycle, deliveryLifecycle, buildLifecycle, connectionLifecycle];
  return [
    notice('shared/lifecycle/'),
    '# Lifecycles',
    '',
    'State changes only along these arrows; the word on an arrow is the cause that logs and metrics show.',
    '',
    ...lifecycles.flatMap((lifecycle) => [`## ${lifecycle.name}`, '', '```mermaid', lifecycle.toMermaid(), '```', '']),
  ].join('\n');
}
