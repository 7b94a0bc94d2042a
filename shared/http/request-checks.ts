/**
 * Owns what a schema can't say about a request: paths, base64, limits against maxima, sizes. Each problem names its place.
 * Never changes a request. Runs before anything is started.
 */
import { type ErrorPlace, SystemError } from '../errors.ts';
import { isId } from '../ids.ts';
import { machineArchitecture } from '../layers/layer-manifest.ts';
import { COLLECT_PARTS_MAX } from '../model/collection.ts';
import type { EnvironmentRequest } from '../model/environment.ts';
import type { ExecutionRequest } from '../model/execution.ts';
import type { InputEncoding, InputFile } from '../model/file.ts';
import { type AllLimits, buildLimitMaxima, type LimitPurpose, type Limits, resolveLimits } from '../model/limits.ts';

const METADATA_BYTES_MAX = 4096;
const NAME_BYTES_MAX = 255;
const base64Pattern = /^[A-Za-z0-9+/]*={0,2}$/;
/** What the system itself keeps in an environment. */
const reservedNames: ReadonlySet<string> = new Set(['.envicutor', 'workspace']);

interface Findings {
  readonly places: ErrorPlace[];
  readonly excesses: ErrorPlace[];
}

/** Throws SystemError `request-invalid` or `limit-above-maximum` that lists every problem. */
export function checkExecution(request: ExecutionRequest, maxima: AllLimits): void {
  const findings: Findings = { places: [], excesses: [] };
  if (typeof request.environment !== 'string') findEnvironment(request.environment, '/environment', findings);
  if (request.files !== undefined) findFiles(request.files, '/files', findings, noNames);
  findLimits(request.compile?.limits, '/compile/limits', 'compile', maxima, findings);
  findLimits(request.run.limits, '/run/limits', 'run', maxima, findings);
  findText(request.run.stdin ?? '', request.run.stdinEncoding, '/run/stdin', findings);
  findPatterns(request.run.collect ?? [], findings);
  findPlacement(request.placement?.architecture, findings);
  if (request.metadata !== undefined) findMetadata(request.metadata, findings);
  refuse(findings);
}

/** The same for an environment on its own. */
export function checkEnvironment(request: EnvironmentRequest): void {
  const findings: Findings = { places: [], excesses: [] };
  findEnvironment(request, '', findings);
  refuse(findings);
}

const noNames: ReadonlySet<string> = new Set();

function refuse({ places, excesses }: Findings): void {
  const errors = [...places, ...excesses];
  const first = errors[0];
  if (first === undefined) return;
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  const code = places.length > 0 ? 'request-invalid' : 'limit-above-maximum';
  throw new SystemError(code, `${first.pointer} ${first.detail}${more}`, { errors });
}

function findEnvironment(request: EnvironmentRequest, pointer: string, findings: Findings): void {
  if (request.files !== undefined) findFiles(request.files, `${pointer}/files`, findings, reservedNames);
  findLimits(request.limits, `${pointer}/limits`, 'build', buildLimitMaxima, findings);
}

function findLimits(
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
function findPlacement(architecture: string | undefined, { places }: Findings): void {
  if (architecture === undefined || architecture === machineArchitecture) return;
  const detail = `is ${architecture}; environments are built for ${machineArchitecture} here`;
  places.push({ pointer: '/placement/architecture', detail });
}

function findMetadata(metadata: Readonly<Record<string, unknown>>, { places }: Findings): void {
  const pointer = '/metadata';
  try {
    const bytes = Buffer.byteLength(JSON.stringify(metadata));
    const detail = `has ${bytes} bytes as JSON; at most ${METADATA_BYTES_MAX} are kept`;
    if (bytes > METADATA_BYTES_MAX) places.push({ pointer, detail });
  } catch {
    places.push({ pointer, detail: 'is nested too deeply' });
  }
}

function findText(text: string, encoding: InputEncoding | undefined, pointer: string, { places }: Findings): void {
  if (encoding === 'base64') {
    if (text.length % 4 !== 0 || !base64Pattern.test(text)) {
      places.push({ pointer, detail: 'is not base64 with padding' });
    }
  } else if (encoding === 'file') {
    if (!isId('file', text)) places.push({ pointer, detail: 'is not the id of a file, as stdinEncoding says' });
  } else if (!text.isWellFormed()) {
    places.push({ pointer, detail: 'holds half of a surrogate pair; send such bytes as base64' });
  }
}

/** A pattern is a path whose names may have wildcards. */
function findPatterns(patterns: readonly string[], { places }: Findings): void {
  for (const [index, pattern] of patterns.entries()) {
    const isDeep = pattern.split('/').length > COLLECT_PARTS_MAX;
    const detail = isDeep ? `has more than ${COLLECT_PARTS_MAX} parts` : pathProblem(pattern, noNames);
    if (detail !== null) places.push({ pointer: `/run/collect/${index}`, detail });
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

function findFiles(
  files: readonly InputFile[],
  pointer: string,
  findings: Findings,
  reserved: ReadonlySet<string>,
): void {
  const paths = new Map<string, number>();
  for (const [index, file] of files.entries()) {
    const { path } = file;
    const place = `${pointer}/${index}`;
    const before = paths.get(path);
    const problem = before === undefined ? pathProblem(path, reserved) : `is the same as that of file ${before}`;
    if (problem !== null) findings.places.push({ pointer: `${place}/path`, detail: problem });
    paths.set(path, index);
    if ('content' in file) findText(file.content, file.encoding, `${place}/content`, findings);
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
