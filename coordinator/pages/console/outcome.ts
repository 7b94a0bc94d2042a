/**
 * Owns the word for what became of an execution, and how it is meant: a program that fails is no fault of ours. Pure; never decides a verdict.
 */
import type { InstanceExecution } from '../../../shared/model/instance-view.ts';

/** A stage or verdict, and how it is meant. */
export function toOutcome({ stage, verdict }: Pick<InstanceExecution, 'stage' | 'verdict'>) {
  if (stage === 'failed') return { text: 'failed', kind: 'bad' } as const;
  if (verdict === null) return { text: stage, kind: 'plain' } as const;
  return { text: verdict, kind: verdict === 'ok' ? 'good' : 'wary' } as const;
}
