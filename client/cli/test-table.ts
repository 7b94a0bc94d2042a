/**
 * Owns the table of a run's tests and the difference of the first wrong one, as text. Pure.
 * Invariant: what a program wrote reaches the terminal without control characters here: this is a report about it, not its output.
 */
import type { Execution } from '../../shared/model/execution.ts';
import type { TestResult } from '../../shared/model/judging.ts';
import { toReportBytes } from '../typescript/output-bytes.ts';
import { toPlainText } from './build-board.ts';
import type { Colour, Paint } from './surroundings.ts';

const SHOWN_LINES_MAX = 8;
const SHOWN_CHARACTERS_MAX = 160;

const colourOf = (outcome: TestResult['outcome']): Colour =>
  outcome === 'accepted' ? 'green' : outcome === 'skipped' ? 'dim' : outcome === 'checker-failed' ? 'yellow' : 'red';

/** One line: name, what became of it, time, memory. */
export function toRow({ name, outcome, report }: TestResult, width: number, paint: Paint): string {
  const used =
    report === null
      ? ''
      : `${(report.usage.cpuTimeMs / 1000).toFixed(3).padStart(8)} s ${(report.usage.memoryPeakBytes / 2 ** 20).toFixed(1).padStart(8)} MiB`;
  return `${toPlainText(name).padEnd(width)}  ${paint(colourOf(outcome), outcome.padEnd(18))}${used}`.trimEnd();
}

/** The last line: how many were accepted. */
export function toSum({ tests, verdict, score }: Execution, paint: Paint): string {
  const accepted = tests.filter(({ outcome }) => outcome === 'accepted').length;
  const isWhole = accepted === tests.length;
  const points = score === null || score.of === tests.length ? '' : `, ${score.points} of ${score.of} points`;
  return paint(isWhole ? 'green' : 'red', `${verdict}: ${accepted} of ${tests.length} tests accepted${points}`);
}

/** Where two texts part, a few lines of each: what was expected with a minus, what came with a plus. */
export function toDifference(expected: string, actual: string, isCut: boolean): string[] {
  const wanted = linesOf(expected);
  const came = linesOf(actual);
  let at = 0;
  while (at < wanted.length && at < came.length && wanted[at] === came[at]) at += 1;
  if (at === wanted.length && at === came.length) return ['no line differs but for spaces at its end'];
  let back = 0;
  const room = Math.min(wanted.length, came.length) - at;
  while (!isCut && back < room && wanted.at(-1 - back) === came.at(-1 - back)) back += 1;
  const before = wanted.slice(Math.max(0, at - 2), at).map((line) => `  ${shorten(line)}`);
  const part = (lines: readonly string[], mark: string) => {
    const differing = lines.slice(at, lines.length - back);
    const more = differing.length - SHOWN_LINES_MAX;
    return [
      ...differing.slice(0, SHOWN_LINES_MAX).map((line) => `${mark} ${shorten(line)}`),
      ...(more > 0 ? [`${mark} … and ${more} more`] : []),
    ];
  };
  return [
    `line ${at + 1}:`,
    ...before,
    ...part(wanted, '-'),
    ...part(came, '+'),
    ...(isCut ? ['+ … what follows was not told'] : []),
  ];
}

function linesOf(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trimEnd());
  while (lines.at(-1) === '') lines.pop();
  return lines;
}

function shorten(line: string): string {
  const plain = toPlainText(line);
  return plain.length <= SHOWN_CHARACTERS_MAX
    ? plain
    : `${plain.slice(0, SHOWN_CHARACTERS_MAX)}… (${plain.length} characters)`;
}

/** The first test that is wrong, told at length; nothing when all are well. `expectedOf` reads what was expected of a test. */
export function toFirstWrong(
  tests: readonly TestResult[],
  expectedOf: (index: number) => string,
  paint: Paint,
): string[] {
  const index = tests.findIndex(({ outcome }) => outcome !== 'accepted' && outcome !== 'skipped');
  const wrong = tests[index];
  if (wrong === undefined) return [];
  const { name, outcome, report, check } = wrong;
  const head = paint('bold', `${toPlainText(name)}: ${outcome}`);
  const told = check !== null && check.message !== '' ? [`  ${toPlainText(check.message)}`] : [];
  if (report === null) return [head, ...told];
  if (outcome !== 'wrong-answer') {
    const ended =
      report.exceeded === null
        ? []
        : [`  ${report.exceeded.limit} is ${report.exceeded.allowed}, it came to ${report.exceeded.observed}`];
    const exit = report.exitCode === null ? report.signal : `exit code ${report.exitCode}`;
    const stderr = Buffer.from(toReportBytes(report, 'stderr'))
      .toString()
      .trimEnd()
      .split('\n')
      .slice(-SHOWN_LINES_MAX);
    return [
      head,
      ...told,
      ...(exit === null ? [] : [`  ${exit}`]),
      ...ended,
      ...stderr.filter((line) => line !== '').map((line) => `  ${shorten(line)}`),
    ];
  }
  const actual = Buffer.from(toReportBytes(report, 'stdout')).toString();
  const isCut =
    report.stdoutTruncated ||
    report.usage.outputBytes > Buffer.byteLength(actual) + Buffer.from(toReportBytes(report, 'stderr')).length;
  const lines = toDifference(expectedOf(index), actual, isCut);
  const coloured = lines.map((line) =>
    line.startsWith('-') ? paint('red', line) : line.startsWith('+') ? paint('green', line) : line,
  );
  return [head, ...coloured.map((line) => `  ${line}`)];
}
