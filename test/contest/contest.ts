/**
 * Owns the contest: its problems with their tests made, and everything that is handed in, the deeds that know no problem dealt out among the problems.
 * Never runs anything. Invariant: it is the same contest each time, whatever the seed of the order in which it is judged.
 */
import { SeededNumbers } from '../support/seeded-numbers.ts';
import { allDeeds, type Deed } from './deeds.ts';
import type { NamedTest, Problem, Submission } from './problem.ts';
import { apart } from './problems/apart.ts';
import { brackets } from './problems/brackets.ts';
import { circle } from './problems/circle.ts';
import { dialogue } from './problems/dialogue.ts';
import { divisor } from './problems/divisor.ts';
import { fibonacci } from './problems/fibonacci.ts';
import { greeting } from './problems/greeting.ts';
import { guess } from './problems/guess.ts';
import { mean } from './problems/mean.ts';
import { mirror } from './problems/mirror.ts';
import { order } from './problems/order.ts';
import { packing } from './problems/packing.ts';
import { pair } from './problems/pair.ts';
import { primes } from './problems/primes.ts';
import { segment } from './problems/segment.ts';
import { sort } from './problems/sort.ts';
import { stones } from './problems/stones.ts';
import { sum } from './problems/sum.ts';
import { transpose } from './problems/transpose.ts';
import { triangle } from './problems/triangle.ts';

/** All problems. */
export const problems: readonly Problem[] = [
  ...[greeting, triangle, mirror, sum, sort, transpose, primes, divisor, fibonacci, segment, brackets, mean, circle],
  ...[pair, order, apart, packing, guess, dialogue, stones],
];

/** A submission to a problem, with all that judging it takes. */
export interface Entry {
  readonly problem: Problem;
  readonly tests: readonly NamedTest[];
  readonly submission: Submission;
  /** Of the contest's entries, from 0. */
  readonly number: number;
}

function takes({ check, stopAfterFailures, closeLimit = 'cpu' }: Problem, { needs }: Deed): boolean {
  if (check.kind === 'interactor') return false;
  return needs === null || (stopAfterFailures === 1 && (needs === 'stop' || needs === closeLimit));
}

/** What a deed comes to: the first test is its end, or none was run. */
function toSubmission({ what, language, source, verdict, endedIn }: Deed, tests: readonly NamedTest[]): Submission {
  const first = endedIn === 'compile' ? null : (tests[0]?.name ?? null);
  return { what, language, source, expected: { verdict, endedIn, first, points: 0 } };
}

/** Everything that is handed in. */
export function makeContest(): readonly Entry[] {
  const made = problems.map((problem) => ({
    problem,
    tests: problem.tests(new SeededNumbers(`contest/${problem.name}`)),
  }));
  const entries = made.flatMap(({ problem, tests }) =>
    problem.submissions.map((submission) => ({ problem, tests, submission })),
  );
  let at = 0;
  for (const deed of allDeeds) {
    let place = made[at++ % made.length];
    while (place === undefined || !takes(place.problem, deed)) place = made[at++ % made.length];
    entries.push({ ...place, submission: toSubmission(deed, place.tests) });
  }
  return entries.map((entry, number) => ({ ...entry, number }));
}
