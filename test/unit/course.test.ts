/**
 * Owns which tests of an execution count and what they come to: skipping, subtasks, points, the verdict about all.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { findSkipped, toCourse, toScore, toVerdict } from '../../shared/judging/course.ts';
import type { TestCase, TestGroup, TestOutcome, TestResult } from '../../shared/model/judging.ts';

const tests = (...groups: readonly (string | undefined)[]): TestCase[] =>
  groups.map((group) => (group === undefined ? {} : { group }));
const result = (outcome: TestOutcome, score?: number): Pick<TestResult, 'outcome' | 'check'> => ({
  outcome,
  check: score === undefined ? null : { message: '', score, report: null },
});
const groups: TestGroup[] = [
  { name: 'samples', points: 0 },
  { name: 'small', points: 30, requires: ['samples'] },
  { name: 'large', points: 70, requires: ['small'] },
];

test('after so many failures the rest is skipped', () => {
  const course = toCourse({ tests: tests(undefined, undefined, undefined, undefined), stopAfterFailures: 2 });
  const outcomes: TestOutcome[] = ['wrong-answer', 'accepted', 'signaled', 'accepted'];
  assert.deepEqual(findSkipped(course, outcomes), [false, false, false, true]);
});

test('a group is skipped when one that it needs was lost before, however far back; its own loss skips nothing', () => {
  const course = toCourse({ tests: tests('samples', 'small', 'small', 'large'), groups });
  assert.deepEqual(findSkipped(course, ['wrong-answer']), [false, true, true, true]);
  assert.deepEqual(findSkipped(course, ['accepted', 'wrong-answer']), [false, false, false, true]);
});

test("what counts follows from the client's order, in whatever order tests have ended", () => {
  const outcome = fc.constantFrom<TestOutcome>('accepted', 'wrong-answer', 'ok', 'cpu-time-exceeded');
  const group = fc.constantFrom('samples', 'small', 'large', undefined);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(group, outcome), { minLength: 1, maxLength: 30 }),
      fc.nat(4),
      fc.infiniteStream(fc.nat(1000)),
      (all, stopAfterFailures, chance) => {
        const course = toCourse({ tests: tests(...all.map(([name]) => name)), groups, stopAfterFailures });
        // One slot: in order.
        const alone: (TestOutcome | undefined)[] = [];
        for (const [index, [, ended]] of all.entries()) if (!findSkipped(course, alone)[index]) alone[index] = ended;
        // Many slots: any test that is not skipped by what is known ends next.
        const many: (TestOutcome | undefined)[] = [];
        for (;;) {
          const skipped = findSkipped(course, many);
          const open = all.flatMap((_, index) => (skipped[index] || many[index] !== undefined ? [] : [index]));
          const next = open[(chance.next().value as number) % Math.max(1, open.length)];
          if (next === undefined) break;
          many[next] = all[next]?.[1];
        }
        assert.deepEqual(findSkipped(course, many), findSkipped(course, alone));
      },
    ),
  );
});

test('points of a group are given as a whole, and only with all that it requires; others by weight and score', () => {
  const all = [...tests('samples', 'small', 'small', 'large'), { weight: 4 }, {}];
  const score = (...results: readonly ReturnType<typeof result>[]) => toScore({ tests: all, groups }, results);
  const yes = result('accepted');
  const no = result('wrong-answer', 0);
  assert.deepEqual(score(yes, yes, yes, yes, yes, yes), { points: 105, of: 105 });
  assert.deepEqual(score(yes, yes, no, yes, no, no), { points: 0, of: 105 });
  assert.deepEqual(score(yes, yes, yes, no, result('wrong-answer', 0.5), yes), { points: 33, of: 105 });
  assert.deepEqual(score(no, yes, yes, yes, no, no), { points: 0, of: 105 });
  assert.equal(toScore({}, []), null);
});

test('a group without points is worth its tests', () => {
  const all = [{ group: 'a', weight: 3 }, { group: 'a' }, { group: 'b' }];
  const results = [result('accepted'), result('accepted'), result('signaled')];
  assert.deepEqual(toScore({ tests: all }, results), { points: 4, of: 5 });
});

test('the verdict is that of the first test that was not accepted', () => {
  const of = (...outcomes: TestOutcome[]) => toVerdict(outcomes.map((outcome) => ({ outcome })));
  assert.deepEqual(of('accepted', 'accepted'), { verdict: 'accepted', endedIn: 'tests' });
  assert.deepEqual(of('accepted', 'signaled', 'wrong-answer', 'skipped'), { verdict: 'signaled', endedIn: 'tests' });
  assert.deepEqual(of('checker-failed'), { verdict: 'checker-failed', endedIn: 'check' });
});
