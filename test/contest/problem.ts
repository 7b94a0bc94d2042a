/**
 * Owns what a problem of the contest is: its tests, how it is checked, and submissions with the verdict that we say is right before anything runs.
 * Never runs anything. Invariants: tests follow from the problem's name alone; an expectation is written by hand, never taken from a run.
 */
import type { Check, TestCase, TestGroup, TestOutcome } from '../../shared/model/judging.ts';
import type { Limits } from '../../shared/model/limits.ts';
import type { SeededNumbers } from '../support/seeded-numbers.ts';
import type { Language } from './languages.ts';

const MiB = 1024 * 1024;

/** What is known of a submission beforehand. */
export interface Expectation {
  readonly verdict: Exclude<TestOutcome, 'skipped'>;
  readonly endedIn: 'compile' | 'tests';
  /** The first test that is not accepted; null: all are, or none was run. */
  readonly first: string | null;
  /** Null: all that there are. */
  readonly points: number | null;
}

/** A program that somebody hands in. */
export interface Submission {
  readonly what: string;
  readonly language: Language;
  readonly source: string;
  readonly expected: Expectation;
}

/** A test with a name and an answer of ours. */
export type NamedTest = TestCase & { readonly name: string };

/** A problem of the contest. */
export interface Problem {
  readonly name: string;
  readonly check: Check;
  /** Default: cpu; programs that burn processor time are handed in nowhere else. */
  readonly closeLimit?: CloseLimit;
  readonly groups?: readonly TestGroup[];
  readonly stopAfterFailures?: number;
  readonly testsAtOnce?: number;
  tests(random: SeededNumbers): readonly NamedTest[];
  readonly submissions: readonly Submission[];
}

/** Which of the limits of time is close, so that whoever meets one meets this. */
export type CloseLimit = 'cpu' | 'idle' | 'wall';

/**
 * Limits that decide the same on a loaded machine, on which waiting for a processor counts as idle: what is accepted takes a tenth of each, what
 * exceeds one never ends, and the two that are not close are far away.
 */
export function toLimits(close: CloseLimit): Limits {
  return {
    cpuTimeMs: 600,
    idleTimeMs: close === 'idle' ? 4000 : 25_000,
    wallTimeMs: close === 'wall' ? 3000 : 30_000,
    memoryBytes: 96 * MiB,
    processes: 32,
    outputBytes: 256 * 1024,
    fileSizeBytes: MiB,
    diskBytes: 8 * MiB,
    diskInodes: 2000,
  };
}

/** One test. */
export function toTest(name: string, stdin: string, expected: string, group?: string): NamedTest {
  return { name, stdin, expected, ...(group === undefined ? {} : { group }) };
}

/** So many numbers from `from` to `to`. */
export function numbersOf(random: SeededNumbers, count: number, from: number, to: number): number[] {
  return Array.from({ length: count }, () => from + random.below(to - from + 1));
}

/** Is right. */
export function accepted(language: Language, source: string, what = 'is right'): Submission {
  return { what, language, source, expected: { verdict: 'accepted', endedIn: 'tests', first: null, points: null } };
}

/** Ends with this verdict at this test, with so many points in all. */
export function ends(
  verdict: Expectation['verdict'],
  language: Language,
  what: string,
  source: string,
  first: string,
  points: number,
): Submission {
  return { what, language, source, expected: { verdict, endedIn: 'tests', first, points } };
}

/** A wrong answer at this test. */
export function wrong(language: Language, what: string, source: string, first: string, points: number): Submission {
  return ends('wrong-answer', language, what, source, first, points);
}

/** The source with each of these parts replaced; a part that is not there would make a mutation that changes nothing. */
export function mutate(source: string, ...changes: readonly (readonly [from: string, to: string])[]): string {
  return changes.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`there is no ${JSON.stringify(from)} in ${JSON.stringify(text)}`);
    return text.replaceAll(from, () => to);
  }, source);
}
