/**
 * Owns what may be wrong with the parts that requests share: texts, paths, files, limits. Each problem names its place.
 * Never throws: whoever looks at a whole request does.
 */
import type { ErrorPlace } from '../errors.ts';
import type { File } from '../model/environment.ts';
import { type AllLimits, type LimitPurpose, type Limits, resolveLimits } from '../model/limits.ts';
import type { Encoding } from '../model/verdict.ts';

/** What is wrong with a request: places that are not valid, and limits above their maxima. */
export interface Findings {
  readonly places: ErrorPlace[];
  readonly excesses: ErrorPlace[];
}

const NAME_BYTES_MAX = 255;
const base64Pattern = /^[A-Za-z0-9+/]*={0,2}$/;

/** Limits above the maxima. */
export function findLimits(
  asked: Limits | undefined,
  pointer: string,
  purpose: LimitPurpose,
  maxima: AllLimits,
  { excesses }: Findings,
): void {
  if (asked === undefined) return;
  for (const excess of resolveLimits(asked, purpose, maxima).excesses) {
    const detail = `is ${excess.asked}; the operator allows at most ${excess.maximum}`;
    excesses.push({ pointer: `${pointer}/${excess.limit}`, detail });
  }
}

/** Environments are built by this machine's builder, for its architecture. */
/** Text that its encoding can't carry. */
export function findText(text: string, encoding: Encoding | undefined, pointer: string, { places }: Findings): void {
  if (encoding === 'base64') {
    if (text.length % 4 !== 0 || !base64Pattern.test(text)) {
      places.push({ pointer, detail: 'is not base64 with padding' });
    }
  } else if (!text.isWellFormed()) {
    places.push({ pointer, detail: 'holds half of a surrogate pair; send such bytes as base64' });
  }
}

/** What is wrong with one path, or null. */
function pathProblem(path: string, reserved: ReadonlySet<string>): string | null {
  if (path.includes('\0')) return 'holds a NUL';
  if (path.startsWith('/')) return 'is absolute; paths are relative to the directory that the scripts run in';
  if (!path.isWellFormed()) return 'holds half of a surrogate pair';
  const segments = path.split('/');
  for (const segment of segments) {
    if (segment === '') return 'has an empty segment';
    if (segment === '.' || segment === '..') return `has a segment '${segment}'`;
    if (Buffer.byteLength(segment) > NAME_BYTES_MAX) return `has a name of more than ${NAME_BYTES_MAX} bytes`;
  }
  const first = segments[0] ?? '';
  return reserved.has(first) ? `begins with '${first}', which the system keeps for itself` : null;
}

/** Paths and contents of files; names of `reserved` are not to be first in a path. */
export function findFiles(
  files: readonly File[],
  pointer: string,
  findings: Findings,
  reserved: ReadonlySet<string>,
): void {
  const paths = new Map<string, number>();
  for (const [index, { path, content, encoding }] of files.entries()) {
    const place = `${pointer}/${index}`;
    const before = paths.get(path);
    const problem = before === undefined ? pathProblem(path, reserved) : `is the same as that of file ${before}`;
    if (problem !== null) findings.places.push({ pointer: `${place}/path`, detail: problem });
    paths.set(path, index);
    findText(content, encoding, `${place}/content`, findings);
  }
  findOverlaps(paths, pointer, findings);
}

/** Files below a path that is a file: sorted with a slash behind them they follow it at once, however many and deep they are. */
function findOverlaps(paths: ReadonlyMap<string, number>, pointer: string, { places }: Findings): void {
  let over: readonly [path: string, index: number] | null = null;
  const sorted = [...paths].map(([path, index]) => [`${path}/`, index] as const);
  for (const [path, index] of sorted.sort(([one], [other]) => (one < other ? -1 : 1))) {
    if (over === null || !path.startsWith(over[0])) {
      over = [path, index];
    } else {
      const detail = `needs a directory '${over[0].slice(0, -1)}', which is file ${over[1]}`;
      places.push({ pointer: `${pointer}/${index}/path`, detail });
    }
  }
}
