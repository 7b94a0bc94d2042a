/**
 * Owns how outputs travel in a result: JSON writes a control character in six, so that a program could make its result six times what it wrote, and larger
 * than any message may be. Such outputs are told as base64 of their UTF-8 (`packed` names them), and what is too much even so is cut.
 * Pure; never looks at what an output says. Invariants: unpacked it is what was packed; what `fitResult` gives has a text that is no larger than the
 * protocol's largest message, as long as what is no output is no larger either.
 */
import { isUtf8 } from 'node:buffer';
import { SystemError } from '../errors.ts';
import type { TestResult } from '../model/judging.ts';
import type { Encoding, Report } from '../model/verdict.ts';
import { textPieces } from '../text-pieces.ts';
import type { LeaseResultMessage } from './agent-messages.ts';
import { CONTENT_BYTES_MAX, MESSAGE_BYTES_MAX } from './version.ts';

/** What has the outputs of a result, and possibly more. */
type Told = Pick<LeaseResultMessage, 'compile' | 'run' | 'tests' | 'check' | 'files' | 'uncollected' | 'packed'>;

/** One output of a result. */
interface Output {
  readonly text: string;
  readonly encoding: Encoding;
  readonly pointer: string;
}

/** Shorter ones are not worth a look. */
const PACKED_LENGTH_MIN = 1024;
/** So much output, in UTF-16 code units of which each may need six bytes in JSON, fits, with what checks say, beside the rest where few files have names. */
const LENGTH_FREE = CONTENT_BYTES_MAX / 6;
const NAMES_FREE = 500;
/** For what comes to a result that was fitted: receipt, names of what is packed, whose it is. */
const FRAME_BYTES = 1024 * 1024;
/** Outputs are cut between pieces of so many UTF-16 code units, first roughly: multiples of four, as groups of base64 are. */
const CUT_LENGTHS = [4096, 64];

/** The result as it is told to who understands `result.packed`. */
export function packResult<Result extends Told>(result: Result): Result {
  const packed: string[] = [];
  const changed = changeOutputs(result, (output) => {
    if (!isWorthPacking(output)) return output.text;
    packed.push(output.pointer);
    return Buffer.from(output.text).toString('base64');
  });
  return packed.length === 0 ? result : { ...changed, packed };
}

/** The result as it was packed; SystemError `message-invalid` when nobody packs so. */
export function unpackResult<Result extends Told>(told: Result): Result {
  if (told.packed === undefined) return told;
  const { packed, ...result } = told;
  const left = new Set(packed);
  const unpacked = changeOutputs(result as Result, ({ text, encoding, pointer }) => {
    if (!left.delete(pointer)) return text;
    const bytes = Buffer.from(text, 'base64');
    if (encoding === 'utf8' && isUtf8(bytes) && bytes.toString('base64') === text) return bytes.toString();
    throw new SystemError('message-invalid', `${pointer} of a result is not packed`);
  });
  if (left.size > 0) throw new SystemError('message-invalid', `a result has no output ${[...left][0]}`);
  return unpacked;
}

/** The result with no more output than a message holds beside the rest of it; what is cut says so, as what a program wrote beyond its limit does. */
export function fitResult<Result extends Told>(result: Result, isPacking: boolean): Result {
  const outputs = outputsOf(result);
  // Nearly all are far from it, and then nobody looks at what they say.
  const said = (result.tests ?? []).reduce((sum, { check }) => sum + (check?.message.length ?? 0), 0);
  const length = outputs.reduce((sum, { text }) => sum + text.length, said);
  const names = (result.files?.length ?? 0) + (result.uncollected?.length ?? 0);
  if (length <= LENGTH_FREE && names <= NAMES_FREE) return result;
  const bytes = new Map(outputs.map((output) => [output.pointer, bytesOf(output, isPacking)]));
  const rest = Buffer.byteLength(JSON.stringify(changeOutputs(result, () => '')));
  const share = shareOf([...bytes.values()], Math.max(0, MESSAGE_BYTES_MAX - FRAME_BYTES - rest));
  if (share === Number.POSITIVE_INFINITY) return result;
  const cut = (output: Output) =>
    (bytes.get(output.pointer) ?? 0) <= share ? output.text : beginningOf(output, share, isPacking);
  return changeOutputs(result, cut, (before, after) => ({
    stdoutTruncated: before.stdoutTruncated || after.stdout !== before.stdout,
    stderrTruncated: before.stderrTruncated || after.stderr !== before.stderr,
  }));
}

function isWorthPacking({ text, encoding }: Output): boolean {
  return encoding === 'utf8' && text.length >= PACKED_LENGTH_MIN && jsonBytesOf(text) > base64BytesOf(text);
}

function bytesOf({ text, encoding }: Output, isPacking: boolean): number {
  const json = jsonBytesOf(text);
  const mayPack = isPacking && encoding === 'utf8' && text.length >= PACKED_LENGTH_MIN;
  return mayPack ? Math.min(json, base64BytesOf(text)) : json;
}

function base64BytesOf(text: string): number {
  return 4 * Math.ceil(Buffer.byteLength(text) / 3);
}

function jsonBytesOf(text: string): number {
  let bytes = 0;
  for (const piece of textPieces(text)) bytes += Buffer.byteLength(JSON.stringify(piece)) - 2;
  return bytes;
}

/** The most that each may have, if those that want less leave the rest to the others and all together have no more than `total`; infinite: all fit. */
function shareOf(wanted: readonly number[], total: number): number {
  let left = total;
  const ascending = wanted.toSorted((a, b) => a - b);
  for (const [index, want] of ascending.entries()) {
    const share = left / (ascending.length - index);
    if (want > share) return share;
    left -= want;
  }
  return Number.POSITIVE_INFINITY;
}

/** As much of its beginning as has so many bytes in a message, nearly: whole characters, and of base64 whole groups. */
function beginningOf({ text, encoding }: Output, bytesMax: number, isPacking: boolean): string {
  const mayPack = isPacking && encoding === 'utf8';
  // All of it is told in one way, so both are summed.
  let [length, json, packed] = [0, 0, 0];
  for (const lengthMax of CUT_LENGTHS) {
    for (const piece of textPieces(text.slice(length), lengthMax)) {
      const jsonMore = json + jsonBytesOf(piece);
      const packedMore = mayPack ? packed + base64BytesOf(piece) : Number.POSITIVE_INFINITY;
      if (Math.min(jsonMore, packedMore) > bytesMax) break;
      [length, json, packed] = [length + piece.length, jsonMore, packedMore];
    }
  }
  return text.slice(0, length);
}

function outputsOf(result: Told): Output[] {
  const outputs: Output[] = [];
  changeOutputs(result, (output) => {
    outputs.push(output);
    return output.text;
  });
  return outputs;
}

type Change = (output: Output) => string;
type Note = (before: Report, after: Pick<Report, 'stdout' | 'stderr'>) => Partial<Report>;

/** The result with what `change` makes of each output, and what `note` says of a report of which something has changed. */
function changeOutputs<Result extends Told>(result: Result, change: Change, note: Note = () => ({})): Result {
  const ofReport = (report: Report | null, pointer: string) => changeReport(report, pointer, change, note);
  const { compile, run, tests, check } = result;
  return {
    ...result,
    compile: ofReport(compile, '/compile'),
    run: ofReport(run, '/run'),
    ...(tests === undefined
      ? {}
      : { tests: tests.map((test, index) => changeTest(test, `/tests/${index}`, ofReport)) }),
    ...(check === undefined ? {} : { check: { ...check, compile: ofReport(check.compile, '/check/compile') } }),
  };
}

function changeTest(
  test: TestResult,
  pointer: string,
  ofReport: (report: Report | null, pointer: string) => Report | null,
): TestResult {
  const report = ofReport(test.report, `${pointer}/report`);
  if (test.check === null) return { ...test, report };
  return { ...test, report, check: { ...test.check, report: ofReport(test.check.report, `${pointer}/check/report`) } };
}

function changeReport(report: Report | null, pointer: string, change: Change, note: Note): Report | null {
  if (report === null) return null;
  const { stdoutEncoding, stderrEncoding } = report;
  const stdout = change({ text: report.stdout, encoding: stdoutEncoding, pointer: `${pointer}/stdout` });
  const stderr = change({ text: report.stderr, encoding: stderrEncoding, pointer: `${pointer}/stderr` });
  if (stdout === report.stdout && stderr === report.stderr) return report;
  return { ...report, stdout, stderr, ...note(report, { stdout, stderr }) };
}
