/**
 * Owns what a requirement is: data with an id, what it is about, what is needed, how to look, and what mends it. Never looks itself.
 * Invariant: what is not there to be read is `unknown`, never `ok`.
 */
import type { ContestSubject } from './contest-subject.ts';
import type { WantedFile } from './setting-files.ts';

/** How much it matters: without a `must` the agent does not start; `information` never makes a machine wrong. */
export const severities = ['must', 'should', 'timing', 'information'] as const;
export type Severity = (typeof severities)[number];

/** What a look can show. */
export const findingStates = ['ok', 'wrong', 'unknown'] as const;

/** What was found. */
export interface Finding {
  readonly state: (typeof findingStates)[number];
  readonly found: string;
  /** In the place of the requirement's own, where that depends on settings. */
  readonly needed?: string;
  /** In the place of the requirement's own, where more is known. */
  readonly remedy?: string;
  /** The whole as one sentence, for a start that is refused. */
  readonly problem?: string;
}

/** One requirement. */
export interface Requirement<Subject> {
  readonly id: string;
  /** What it is, and why it matters. */
  readonly about: string;
  readonly needed: string;
  readonly severity: Severity;
  /** A command where there is one, else what to do. */
  readonly remedy: string;
  readonly look: (subject: Subject) => Finding | Promise<Finding>;
}

/** One of contest mode. */
export interface ContestRequirement extends Requirement<ContestSubject> {
  /** The files that --fix may write, which it can put back; or why a person is to do it. */
  readonly fix: { readonly files: (subject: ContestSubject) => readonly WantedFile[] } | { readonly byHand: string };
}

export const ok = (found: string): Finding => ({ state: 'ok', found });
export const wrong = (found: string, more: Omit<Finding, 'state' | 'found'> = {}): Finding => ({
  ...{ state: 'wrong', found },
  ...more,
});
export const unknown = (found: string): Finding => ({ state: 'unknown', found });
/** The files that would say it are not there. */
export const untold = unknown('this machine does not tell');

/** `ok` or `wrong`. */
export function judged(isRight: boolean, found: string): Finding {
  return isRight ? ok(found) : wrong(found);
}

/** The finding as one sentence with its remedy. */
export function toSentence(requirement: Requirement<never>, { found, needed, remedy, problem }: Finding): string {
  if (problem !== undefined) return problem;
  return `${requirement.id}: found ${found}, needed ${needed ?? requirement.needed}; ${remedy ?? requirement.remedy}`;
}
