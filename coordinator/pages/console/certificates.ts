/**
 * Owns what timing certificates say of agents, in sum. Pure; never judges one.
 */
import type { InstanceExecution } from '../../../shared/model/instance-view.ts';

/** How many of each kind. */
export interface CertificateCounts {
  readonly clean: number;
  readonly dirty: number;
  readonly unprovable: number;
}

const none: CertificateCounts = { clean: 0, dirty: 0, unprovable: 0 };

/** A certificate's word. */
export function toKind(clean: boolean | 'unprovable'): keyof CertificateCounts {
  return clean === 'unprovable' ? clean : clean ? 'clean' : 'dirty';
}

/** By agent's id. */
export function countCertificates(
  executions: readonly Pick<InstanceExecution, 'agent' | 'clean'>[],
): Map<string, CertificateCounts> {
  const counts = new Map<string, CertificateCounts>();
  for (const { agent, clean } of executions) {
    if (agent === null || clean === null) continue;
    const before = counts.get(agent.id) ?? none;
    const kind = toKind(clean);
    counts.set(agent.id, { ...before, [kind]: before[kind] + 1 });
  }
  return counts;
}

/** The kinds that there are, with their numbers. */
export function toCertificateText(counts: CertificateCounts | undefined): string {
  const kinds = Object.entries(counts ?? none).filter(([, count]) => count > 0);
  return kinds.length === 0 ? '–' : kinds.map(([kind, count]) => `${count} ${kind}`).join(', ');
}
