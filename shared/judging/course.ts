/**
 * Owns which tests of an execution count, and what all of them come to: pure, and the same for agent, coordinator and a local run.
 * Never runs or compares anything.
 * Invariant: what is skipped follows from the outcomes of the tests before it in the client's order alone, so that a run on many slots comes to the
 * same as a run on one.
 */
import type { Score, TestCase, TestGroup, TestOutcome, TestResult } from '../model/judging.ts';

/** What is to be known of the tests. */
export interface Course {
  /** In the client's order: the group that each belongs to, or null. */
  readonly groups: readonly (string | null)[];
  /** What groups require. */
  readonly requires: Readonly<Record<string, readonly string[]>>;
  /** Tests after so many failures are skipped; 0: none. */
  readonly stopAfterFailures: number;
}

/** The part of a request that is about tests. */
interface Tested {
  readonly tests?: readonly TestCase[];
  readonly groups?: readonly TestGroup[];
  readonly stopAfterFailures?: number;
}

/** Names without which a test has none: its number, from 1. */
export function nameOf({ name }: Pick<TestCase, 'name'>, index: number): string {
  return name ?? String(index + 1);
}

/** The course of a request's tests. */
export function toCourse({ tests = [], groups = [], stopAfterFailures = 0 }: Tested): Course {
  return {
    groups: tests.map(({ group = null }) => group),
    requires: Object.fromEntries(groups.map(({ name, requires = [] }) => [name, requires])),
    stopAfterFailures,
  };
}

/** All groups that a group needs, the ones that those need included. */
function closureOf(group: string, requires: Course['requires']): readonly string[] {
  const found = new Set<string>();
  const open = [...(requires[group] ?? [])];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    open.push(...(requires[next] ?? []));
  }
  return [...found];
}

/** Follows outcomes in order and says of each test whether it is skipped. */
class Walk {
  readonly #course: Course;
  readonly #needs = new Map<string, readonly string[]>();
  readonly #lost = new Set<string>();
  #failures = 0;

  constructor(course: Course) {
    this.#course = course;
    for (const group of new Set(course.groups)) {
      if (group !== null) this.#needs.set(group, closureOf(group, course.requires));
    }
  }

  isSkipped(index: number): boolean {
    const { stopAfterFailures, groups } = this.#course;
    if (stopAfterFailures > 0 && this.#failures >= stopAfterFailures) return true;
    const group = groups[index] ?? null;
    return group !== null && (this.#needs.get(group) ?? []).some((needed) => this.#lost.has(needed));
  }

  failed(index: number): void {
    this.#failures += 1;
    const group = this.#course.groups[index] ?? null;
    if (group !== null) this.#lost.add(group);
  }
}

/** Which tests are skipped, by what is known: an outcome that is not there yet counts as accepted. */
export function findSkipped(course: Course, outcomes: readonly (TestOutcome | undefined)[]): boolean[] {
  const walk = new Walk(course);
  return course.groups.map((_, index) => {
    if (walk.isSkipped(index)) return true;
    const outcome = outcomes[index];
    if (outcome !== undefined && outcome !== 'accepted') walk.failed(index);
    return false;
  });
}

/** The verdict about all of them: of the first that was not accepted. */
export function toVerdict(results: readonly Pick<TestResult, 'outcome'>[]): {
  readonly verdict: Exclude<TestOutcome, 'skipped'>;
  readonly endedIn: 'tests' | 'check';
} {
  for (const { outcome } of results) {
    if (outcome === 'accepted' || outcome === 'skipped') continue;
    return { verdict: outcome, endedIn: outcome === 'checker-failed' ? 'check' : 'tests' };
  }
  return { verdict: 'accepted', endedIn: 'tests' };
}

/** The results of tests that nobody ran. */
export function toSkipped(tests: readonly Pick<TestCase, 'name'>[]): TestResult[] {
  return tests.map((test, index) => ({ name: nameOf(test, index), outcome: 'skipped', report: null, check: null }));
}

/**
 * The points: of a group all or nothing, when all of its tests and all that it requires were accepted; of a test without a group its weight, or the
 * part of it that its check gives. Null without tests.
 */
export function toScore(
  { tests = [], groups = [] }: Tested,
  results: readonly Pick<TestResult, 'outcome' | 'check'>[],
): Score | null {
  if (tests.length === 0) return null;
  const won = new Map<string, boolean>();
  const weights = new Map<string, number>();
  const score = { points: 0, of: 0 };
  for (const [index, { group, weight = 1 }] of tests.entries()) {
    const result = results[index];
    const isAccepted = result?.outcome === 'accepted';
    if (group === undefined) {
      score.of += weight;
      score.points += weight * (result?.check?.score ?? (isAccepted ? 1 : 0));
    } else {
      won.set(group, (won.get(group) ?? true) && isAccepted);
      weights.set(group, (weights.get(group) ?? 0) + weight);
    }
  }
  const declared = new Map(groups.map((group) => [group.name, group]));
  const requires = toCourse({ groups }).requires;
  for (const group of new Set([...declared.keys(), ...won.keys()])) {
    const points = declared.get(group)?.points ?? weights.get(group) ?? 0;
    score.of += points;
    if ([group, ...closureOf(group, requires)].every((needed) => won.get(needed) ?? true)) score.points += points;
  }
  return score;
}
