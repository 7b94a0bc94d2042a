/**
 * Owns a whole contest through the client: 20 problems, 200 and more submissions in seven languages, whose verdicts were written down before; judged
 * twice, in two orders. Never takes an expectation from a run. Invariant: both judgings come to the same in every test, message and point.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { EnvicutorClient } from '../../client/typescript/client.ts';
import { PrivateInstance } from '../../ops/local/private-instance.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { makeContest, problems } from '../contest/contest.ts';
import { findDifference, findSurprise, type Judge, judgeAll, shuffled, toJudge } from '../contest/judging.ts';
import { environments } from '../contest/languages.ts';
import { noteInLedger, testSeed } from '../support/ledger.ts';
import { SeededNumbers } from '../support/seeded-numbers.ts';

const AT_ONCE = 4;
const contest = makeContest();

function countVerdicts(answers: readonly Execution[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { verdict } of answers) counts[String(verdict)] = (counts[String(verdict)] ?? 0) + 1;
  return counts;
}

describe(`a contest (ENVICUTOR_TEST_SEED=${testSeed})`, () => {
  const instance = new PrivateInstance();
  const rounds: Execution[][] = [];
  let judge: Judge;
  before(
    async () => {
      // Programs that sleep leave their processor to others.
      await instance.start({ ENVICUTOR_AGENT_SLOTS: String(AT_ONCE) });
      judge = toJudge(new EnvicutorClient({ url: instance.url }));
      const builds = Object.values(environments).map((environment, index) =>
        judge({ environment, run: { script: 'true' } }, `environment-${index}`),
      );
      for (const { verdict, setup } of await Promise.all(builds)) assert.equal(verdict, 'ok', JSON.stringify(setup));
    },
    { timeout: 600_000 },
  );
  after(() => instance.stop());

  /** Judges all in an order of this round. */
  async function judgeRound(round: string): Promise<Execution[]> {
    const fromMs = performance.now();
    const order = shuffled(contest, new SeededNumbers(`${testSeed}/${round}`));
    const answers = await judgeAll(order, judge, { atOnce: AT_ONCE, round });
    const seconds = Math.round((performance.now() - fromMs) / 100) / 10;
    noteInLedger(`contest, ${round} judging`, { submissions: answers.length, ...countVerdicts(answers), seconds });
    rounds.push(answers);
    return answers;
  }

  const surprises = (answers: readonly Execution[]) =>
    contest.flatMap((entry) => {
      const answer = answers[entry.number];
      return answer === undefined ? [`submission ${entry.number} has no answer`] : (findSurprise(entry, answer) ?? []);
    });

  test('has 20 problems and at least 200 submissions in seven languages', () => {
    assert.equal(problems.length, 20);
    assert.equal(new Set(problems.map(({ name }) => name)).size, 20);
    assert.ok(contest.length >= 200, `${contest.length} submissions`);
    assert.equal(new Set(contest.map(({ submission }) => submission.language)).size, 7);
  });

  test('every submission has the verdict, the first failing test and the points that are its due', {
    timeout: 600_000,
  }, async () => {
    assert.deepEqual(surprises(await judgeRound('first')), []);
  });

  test('judged again in another order it comes to the same, test by test', { timeout: 600_000 }, async () => {
    const answers = await judgeRound('second');
    assert.deepEqual(surprises(answers), []);
    const differences = contest.flatMap((entry) => {
      const [one, other] = rounds.map((round) => round[entry.number]);
      return one === undefined || other === undefined ? [] : (findDifference(entry, one, other) ?? []);
    });
    assert.deepEqual(differences, []);
  });
});
