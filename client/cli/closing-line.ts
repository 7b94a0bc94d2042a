/**
 * Owns the last lines about an execution, for people: how it ended if not well, what it used and where the time went, what to do about it.
 * Never colours what a program wrote.
 */
import type { Execution } from '../../shared/model/execution.ts';
import type { Report } from '../../shared/model/verdict.ts';
import { toPlainText } from './build-board.ts';
import { wordOf } from './limit-words.ts';
import { paintFor, type Surroundings } from './surroundings.ts';

const seconds = (durationMs: number) => `${(durationMs / 1000).toFixed(3)} s`;
const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** Bytes and milliseconds of a limit as --limits takes them. */
function amountOf(limit: string, value: number): string {
  if (limit.endsWith('Ms')) return `${value}ms`;
  if (!limit.endsWith('Bytes')) return String(value);
  return value % 2 ** 20 === 0 ? `${value / 2 ** 20}m` : value % 1024 === 0 ? `${value / 1024}k` : String(value);
}

/** What one script came to. */
export function describeReport({ verdict, exitCode, signal, exceeded, start, usage }: Report): string {
  const used = `${seconds(usage.cpuTimeMs)} of processor, ${seconds(usage.wallTimeMs)}, ${mebibytes(usage.memoryPeakBytes)}`;
  if (start !== null) return `${verdict}: ${start.detail}`;
  if (exceeded !== null)
    return `${verdict}: ${wordOf(exceeded.limit)} came to ${amountOf(exceeded.limit, exceeded.observed)} of ${amountOf(exceeded.limit, exceeded.allowed)}; --limits ${wordOf(exceeded.limit)}=… allows more (${used})`;
  const how = exitCode !== null && exitCode !== 0 ? ` ${exitCode}` : signal === null ? '' : ` ${signal}`;
  return `${verdict}${how} (${used})`;
}

/** So much of a log is shown. */
const TAIL_LINES = 20;

/** The end of what a build's script wrote. */
function endOfLog(report: Report | null, linesMax: number): string[] {
  if (report === null) return [];
  const text = [report.stdout, report.stderr].filter((part) => part !== '').join('\n');
  return text
    .split(/\r?\n|\r/)
    .map(toPlainText)
    .filter((line) => line.trim() !== '')
    .slice(-linesMax);
}

const buildScripts = ['setup', 'dependencies', 'verify'] as const;
type BuildScript = (typeof buildScripts)[number];
const isBuildScript = (word: string | null): word is BuildScript => buildScripts.includes(word as BuildScript);

interface Built extends Pick<Execution, BuildScript | 'failure'> {
  readonly endedIn: string | null;
}

/** Why an environment could not be built: the end of its log as it is, then why, and where the whole is. */
export function describeBuildFailure(built: Built, tail: readonly string[], id: string) {
  const { endedIn, failure } = built;
  const where = `the whole log: envicutor env log ${id}`;
  if (!isBuildScript(endedIn))
    return { log: tail, told: [`the environment could not be built: ${failure?.detail ?? 'nobody says why'}`, where] };
  const report = built[endedIn];
  const how = report === null ? 'a failure' : describeReport(report);
  const log = tail.length > 0 ? tail : endOfLog(report, TAIL_LINES);
  return { log, told: [`the environment could not be built: its ${endedIn} script ended with ${how}`, where] };
}

interface ToldFailure {
  readonly log: readonly string[];
  readonly told: readonly string[];
}

/** Says it on standard error; only what is ours has our name before it. */
export function tellBuildFailure(surroundings: Surroundings, { log, told }: ToldFailure): void {
  const { stderr, variables } = surroundings;
  for (const line of log) stderr.write(`  ${line}\n`);
  for (const line of told) stderr.write(`${paintFor(stderr, variables)('red', 'envicutor:')} ${line}\n`);
}

/** How an execution ended, when that is worth a line. */
export function describeEnd(execution: Execution): string[] {
  const { failure, endedIn, verdict } = execution;
  if (failure !== null) return [`${failure.detail} (${failure.code}, execution ${execution.id})`];
  if (endedIn === 'compile' && execution.compile !== null)
    return [`it does not compile: ${describeReport(execution.compile)}`];
  if (endedIn === 'run' && execution.run !== null && verdict !== 'ok') return [describeReport(execution.run)];
  return verdict === 'ok' || endedIn === 'tests' ? [] : [`${endedIn}: ${verdict}`];
}

/** Where the time went. */
export function describeTiming({ id, timing, compile, run, environment, agent }: Execution): string[] {
  const { queuedMs, buildMs, fetchMs, prepareMs, overheadMs } = timing;
  const parts = [
    `queued ${seconds(queuedMs)}`,
    `build ${seconds(buildMs)}`,
    `fetch ${seconds(fetchMs)}`,
    `prepare ${seconds(prepareMs)}`,
  ];
  if (compile !== null) parts.push(`compile ${seconds(compile.usage.wallTimeMs)}`);
  if (run !== null) parts.push(`run ${seconds(run.usage.wallTimeMs)}`);
  return [
    ...(run === null ? [] : [describeReport(run)]),
    `${parts.join(', ')}, else ${seconds(overheadMs)}`,
    `${id} in ${environment?.id ?? 'no environment'}${agent === null ? '' : ` on ${agent.name}`}`,
  ];
}
