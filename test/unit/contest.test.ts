/**
 * Owns what can be known of the contest (test/contest) without running it: it is whole, every expectation is about something that is there, and what comes
 * out otherwise is told so that one finds it. Never judges a program: test/end-to-end/contest.test.ts does.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Execution } from '../../shared/model/execution.ts';
import type { TestOutcome } from '../../shared/model/judging.ts';
import { type Entry, makeContest, problems } from '../contest/contest.ts';
import { findDifference, findSurprise, shuffled } from '../contest/judging.ts';
import { SeededNumbers } from '../support/seeded-numbers.ts';

const contest = makeContest();
const found = contest.find(({ problem }) => problem.name === 'sum');
assert.ok(found !== undefined);
const entry: Entry = found;

/** An answer in which the last test came out as given, all before it accepted. */
function toAnswer({ tests }: Entry, last: TestOutcome, points: number): Execution {
  const results = tests.map(({ name }, index) => ({
    ...{ name, outcome: index < tests.length - 1 ? 'accepted' : last, report: null },
    check: { message: `about ${name}`, score: 1, report: null },
  }));
  const answer = { stage: 'finished', verdict: last, endedIn: 'tests', score: { points, of: tests.length } };
  return { ...answer, tests: results, compile: null, failure: null } as unknown as Execution;
}

test('every way of checking is in the contest, four check programs and three interactors', () => {
  const kinds = problems.map(({ check }) => check.kind);
  const count = (kind: string) => kinds.filter((other) => other === kind).length;
  assert.deepEqual(new Set(kinds), new Set(['exact', 'lines', 'tokens', 'float', 'program', 'interactor']));
  assert.ok(count('program') >= 4 && count('interactor') >= 3, kinds.join(' '));
});

test('every expectation is about a test that is there, and of points that can be had', () => {
  for (const { problem, tests, submission } of contest) {
    const { first, points, verdict, endedIn } = submission.expected;
    const at = tests.findIndex(({ name }) => name === first);
    const said = `${problem.name}: ${submission.what}`;
    assert.equal(first === null, verdict === 'accepted' || endedIn === 'compile', said);
    assert.ok(first === null || at >= 0, said);
    const isPlain = problem.stopAfterFailures === 1 && problem.groups === undefined;
    if (isPlain && points !== null) assert.equal(points, Math.max(at, 0), `${said}: a point for each test before`);
  }
});

test('the tests of a problem are as many as it says, have names of their own, and are the same each time', () => {
  const again = makeContest();
  for (const [index, { problem, tests }] of contest.entries()) {
    assert.ok(tests.length >= 10 && tests.length <= 25, `${problem.name} has ${tests.length} tests`);
    assert.equal(new Set(tests.map(({ name }) => name)).size, tests.length, problem.name);
    assert.deepEqual(again[index]?.tests, tests);
  }
});

test('another order has the same entries', () => {
  const other = shuffled(contest, new SeededNumbers('another'));
  assert.notDeepEqual(other, contest);
  assert.deepEqual(
    [...other].sort((a, b) => a.number - b.number),
    contest,
  );
});

test('what comes out otherwise is told with problem, submission, language, what was expected, what came, and the test', () => {
  const all = entry.tests.length;
  assert.equal(findSurprise(entry, toAnswer(entry, 'accepted', all)), null);
  const surprise = findSurprise(entry, toAnswer(entry, 'wrong-answer', all - 1)) ?? '';
  assert.equal(
    surprise,
    `sum, submission ${entry.number} (c: is right): expected accepted in tests, 11 points; got wrong-answer in tests at test 11, 10 points: [null,null,"about 11"]`,
  );
  assert.match(findSurprise(entry, toAnswer(entry, 'accepted', all - 1)) ?? '', /10 points/);
});

test('two answers that differ in one test are told apart by that test', () => {
  const [one, other] = [toAnswer(entry, 'accepted', 11), toAnswer(entry, 'signaled', 11)];
  assert.equal(findDifference(entry, one, one), null);
  const same = { ...other, verdict: one.verdict };
  assert.match(
    findDifference(entry, one, same) ?? '',
    /^sum, .*first \{"name":"11","outcome":"accepted".*then .*"signaled"/,
  );
});
