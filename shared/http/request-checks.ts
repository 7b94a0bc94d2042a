/**
 * Owns what a schema can't say about a request: paths, base64, limits against maxima, sizes. Each problem names its place.
 * Never changes a request. Runs before anything is started.
 */
import { SystemError } from '../errors.ts';
import { machineArchitecture } from '../layers/layer-manifest.ts';
import type { EnvironmentRequest } from '../model/environment.ts';
import type { ExecutionRequest } from '../model/execution.ts';
import { type AllLimits, buildLimitMaxima } from '../model/limits.ts';
import { findOrderExcess } from '../protocol/order-size.ts';
import { type Findings, findFiles, findLimits, findPatterns, findText } from './findings.ts';
import { findTests } from './test-checks.ts';

const METADATA_BYTES_MAX = 4096;
/** What the system itself keeps in an environment. */
const reservedNames: ReadonlySet<string> = new Set(['.envicutor', 'workspace']);

/** Throws SystemError `request-invalid` or `limit-above-maximum` that lists every problem. */
export function checkExecution(request: ExecutionRequest, maxima: AllLimits): void {
  const findings: Findings = { places: [], excesses: [] };
  if (typeof request.environment !== 'string') findEnvironment(request.environment, '/environment', findings);
  if (request.files !== undefined) findFiles(request.files, '/files', findings, noNames);
  findLimits(request.compile?.limits, '/compile/limits', 'compile', maxima, findings);
  findLimits(request.run.limits, '/run/limits', 'run', maxima, findings);
  findText(request.run.stdin ?? '', request.run.stdinEncoding, '/run/stdin', findings);
  findTests(request, maxima, findings);
  const excess = findOrderExcess(request);
  if (excess !== null) findings.places.push(excess);
  const { check } = request;
  if (check !== undefined && 'run' in check && check.environment !== undefined && typeof check.environment !== 'string')
    findEnvironment(check.environment, '/check/environment', findings);
  if (request.interactive === true) findInteractive(request, findings);
  findPatterns(request.run.collect ?? [], '/run/collect', findings);
  findPlacement(request.placement?.architecture, findings);
  if (request.metadata !== undefined) findMetadata(request.metadata, findings);
  refuse(findings);
}

/** The same for each of a batch, in a body's list `/executions`; the first that is wrong is told with all that is wrong in it. */
export function checkBatch(requests: readonly ExecutionRequest[], maxima: AllLimits): void {
  for (const [index, request] of requests.entries()) {
    try {
      checkExecution(request, maxima);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      const errors = error.errors.map(({ pointer, detail }) => ({ pointer: `/executions/${index}${pointer}`, detail }));
      throw new SystemError(error.code, `/executions/${index}${error.message}`, { errors });
    }
  }
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

function findInteractive({ run: { stdin = '' }, tests }: ExecutionRequest, { places }: Findings): void {
  if (tests !== undefined) places.push({ pointer: '/tests', detail: 'have no place in an interactive execution' });
  const detail = 'has no place in an interactive execution: its client types at the terminal';
  if (stdin !== '') places.push({ pointer: '/run/stdin', detail });
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
