/**
 * Owns what a check program says by how it ends: testlib's exit codes and messages (github.com/MikeMirzayanov/testlib, its documentation), turned
 * into an outcome. Pure. Invariant: a program that ends in any way but these has failed itself, whatever the solution did.
 */
import { CHECK_MESSAGE_CHARACTERS_MAX, type CheckResult } from '../../shared/model/judging.ts';
import { decodeInput, type Report } from '../../shared/model/verdict.ts';

/** What a check says about one test. */
export interface CheckVerdict {
  readonly outcome: 'accepted' | 'wrong-answer' | 'checker-failed';
  readonly check: CheckResult;
}

/** testlib: accepted, wrong answer, presentation error, its own failure, dirt after the answer, points, unexpected end of file. */
const codes = { accepted: 0, wrong: 1, presentation: 2, failed: 3, dirt: 4, points: 7, unexpectedEnd: 8 } as const;
const wrong: ReadonlySet<number> = new Set([codes.wrong, codes.presentation, codes.dirt, codes.unexpectedEnd]);
const points = /^\s*points(?:_info=\S+)?\s+(\d+(?:\.\d*)?|\.\d+)(?:\s|$)/;

/** A message of a program's own words, of a length that can be told. */
export function toMessage(text: string): string {
  const trimmed = text.trim();
  return trimmed.length <= CHECK_MESSAGE_CHARACTERS_MAX
    ? trimmed
    : `${trimmed.slice(0, CHECK_MESSAGE_CHARACTERS_MAX - 1).toWellFormed()}…`;
}

/** Said on standard error, as testlib does, else on standard output. */
function messageOf({ stderr, stderrEncoding, stdout, stdoutEncoding }: Report): string {
  const said = decodeInput(stderr, stderrEncoding).toString().trim();
  return toMessage(said === '' ? decodeInput(stdout, stdoutEncoding).toString() : said);
}

/** What the end of a check program means; `report` is the program's own. */
export function toCheckVerdict(report: Report): CheckVerdict {
  const message = messageOf(report);
  const say = (outcome: CheckVerdict['outcome'], score: number, said = message): CheckVerdict => ({
    outcome,
    check: { message: said, score, report },
  });
  const { verdict, exitCode } = report;
  if (verdict !== 'ok' && verdict !== 'nonzero-exit') {
    return say('checker-failed', 0, toMessage(`the check program ended with ${verdict}: ${message}`));
  }
  if (exitCode === codes.accepted) return say('accepted', 1);
  if (exitCode === codes.points) {
    const score = Number(points.exec(message)?.[1] ?? Number.NaN);
    if (score >= 0 && score <= 1) return say(score === 1 ? 'accepted' : 'wrong-answer', score);
    return say('checker-failed', 0, toMessage(`gave no points between 0 and 1: ${message}`));
  }
  if (exitCode !== null && wrong.has(exitCode)) return say('wrong-answer', 0);
  return say('checker-failed', 0);
}
