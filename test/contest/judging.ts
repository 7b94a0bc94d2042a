/**
 * Owns how an entry of the contest is judged: the request it makes, through whom it goes, what of the answer must be the same each time, and in which
 * words a difference is told. Never decides what is right. Invariant: at most so many entries are judged at a time as it is told.
 */
import type { EnvicutorClient, Execution, ExecutionRequest } from '../../client/typescript/client.ts';
import type { SeededNumbers } from '../support/seeded-numbers.ts';
import type { Entry } from './contest.ts';
import { toProgram } from './languages.ts';
import { toLimits } from './problem.ts';

/** Whoever judges: posts a request once, under a key, and waits for its end. */
export type Judge = (request: ExecutionRequest, key: string) => Promise<Execution>;

/** The judge that the package's client is. */
export function toJudge(client: EnvicutorClient): Judge {
  return (request, idempotencyKey) => client.run(request, { idempotencyKey });
}

/** The request that an entry makes. */
export function toRequest({ problem, tests, submission, number }: Entry): ExecutionRequest {
  const { check, groups, stopAfterFailures, testsAtOnce, closeLimit = 'cpu' } = problem;
  return {
    ...toProgram(submission.language, submission.source, toLimits(closeLimit)),
    ...(groups === undefined ? {} : { groups: [...groups] }),
    ...(stopAfterFailures === undefined ? {} : { stopAfterFailures }),
    ...(testsAtOnce === undefined ? {} : { testsAtOnce }),
    ...{ tests: [...tests], check, metadata: { problem: problem.name, submission: number } },
  };
}

/** The same in another order. */
export function shuffled<Item>(items: readonly Item[], random: SeededNumbers): Item[] {
  const rest = [...items];
  return items.map(() => {
    const [taken] = rest.splice(random.below(rest.length), 1);
    if (taken === undefined) throw new Error('nothing is left');
    return taken;
  });
}

/** Judges all entries, so many at a time, beginning in the order given; the answers are in the order of their numbers. */
export async function judgeAll(
  entries: readonly Entry[],
  judge: Judge,
  { atOnce, round }: { readonly atOnce: number; readonly round: string },
): Promise<Execution[]> {
  const answers: Execution[] = [];
  const waiting = [...entries];
  const judgeOneByOne = async () => {
    for (let entry = waiting.shift(); entry !== undefined; entry = waiting.shift()) {
      answers[entry.number] = await judge(toRequest(entry), `contest-${round}-${entry.number}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, judgeOneByOne));
  return answers;
}

/** What of an answer is the same each time that it is judged. */
export function toOutcome({ stage, verdict, endedIn, score, compile, tests, failure }: Execution) {
  return {
    ...{ stage, verdict, endedIn, score, failure },
    compile: compile === null ? null : [compile.verdict, compile.exitCode],
    tests: tests.map(({ name, outcome, report, check }) => ({
      ...{ name, outcome, message: check?.message ?? null, part: check?.score ?? null },
      ended: report === null ? null : [report.verdict, report.exitCode, report.signal, report.exceeded?.limit ?? null],
      checked: check?.report == null ? null : [check.report.verdict, check.report.exitCode],
    })),
  };
}

function nameOf({ problem, submission, number }: Entry): string {
  return `${problem.name}, submission ${number} (${submission.language}: ${submission.what})`;
}

const firstOf = ({ tests }: Execution) =>
  tests.find(({ outcome }) => outcome !== 'accepted' && outcome !== 'skipped') ?? null;

/** What is not as it was expected of an entry; null when all is. */
export function findSurprise(entry: Entry, answer: Execution): string | null {
  const { verdict, endedIn, first, points } = entry.submission.expected;
  const failing = firstOf(answer);
  const score = answer.score ?? { points: Number.NaN, of: Number.NaN };
  const expectedPoints = points ?? score.of;
  const isRight =
    answer.verdict === verdict &&
    answer.endedIn === endedIn &&
    (failing?.name ?? null) === first &&
    Math.abs(score.points - expectedPoints) < 1e-6;
  if (isRight) return null;
  const test = first === null ? '' : ` at test ${first}`;
  const got = `${answer.verdict} in ${answer.endedIn}${failing === null ? '' : ` at test ${failing.name}`}, ${score.points} points`;
  const said = failing?.check?.message ?? failing?.report?.stderr ?? answer.compile?.stderr ?? '';
  const why = JSON.stringify([answer.failure, failing?.report?.exceeded ?? null, said.slice(0, 400)]);
  return `${nameOf(entry)}: expected ${verdict} in ${endedIn}${test}, ${expectedPoints} points; got ${got}: ${why}`;
}

/** Where two answers about an entry differ; null where they do not. */
export function findDifference(entry: Entry, one: Execution, other: Execution): string | null {
  const [before, after] = [toOutcome(one), toOutcome(other)];
  if (JSON.stringify(before) === JSON.stringify(after)) return null;
  const test = before.tests.findIndex((of, index) => JSON.stringify(of) !== JSON.stringify(after.tests[index]));
  const [was, is] =
    test < 0
      ? [
          { ...before, tests: [] },
          { ...after, tests: [] },
        ]
      : [before.tests[test], after.tests[test]];
  return `${nameOf(entry)}: first ${JSON.stringify(was)}, then ${JSON.stringify(is)}`;
}
