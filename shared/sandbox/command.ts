/**
 * Owns what an embedding program asks for, a Command, and its way to a LaunchSpec: defaults filled in, everything checked.
 * Never runs anything. Everything wrong is told at once, as SystemError `request-invalid` or `limit-above-maximum`.
 */
import { Value } from '@sinclair/typebox/value';
import { SystemError } from '../errors.ts';
import { type AllLimits, Limits, limitCeilings, resolveLimits } from '../model/limits.ts';
import { WORKSPACE_DIRECTORY } from '../model/toolchain-variables.ts';
import type { CollectSpec, KeptLayer, LaunchSpec, SandboxFile, TerminalSize } from './sandbox.ts';

/** A file that is in the workspace before the program starts. */
export interface CommandFile {
  /** Relative to the workspace. */
  readonly path: string;
  readonly content: string | Uint8Array;
  readonly executable?: boolean;
}

/** Which files are copied out of the workspace after the program's end. */
export interface CommandCollect {
  /** Paths in the workspace, as a shell writes them: `result.txt`, `out/*.png`; a part that is `**` is any number of directories. */
  readonly patterns: readonly string[];
  /** All files together; default 64 MiB. */
  readonly bytesMax?: number;
  /** Default 1000. */
  readonly filesMax?: number;
}

/** One program to run in a fresh sandbox. */
export interface Command {
  /** The program and its arguments; a program without a slash is looked for in the PATH inside. */
  readonly command: readonly string[];
  readonly files?: readonly CommandFile[];
  /** Standard input; text is UTF-8. Without it the input is empty. */
  readonly stdin?: string | Uint8Array | AsyncIterable<Uint8Array>;
  /** Variables over the defaults PATH, HOME, LANG, TMPDIR and USER; nothing of this process's own is inherited. */
  readonly environment?: Readonly<Record<string, string>>;
  /** What is not given has the default of a run. */
  readonly limits?: Limits;
  /** Relative weight of the processor's share; 1024 is an ordinary sandbox. */
  readonly cpuShares?: number;
  /** cpuset list like `0` or `2-3`. */
  readonly cpus?: string;
  /** A pseudo-terminal of its own instead of pipes: all output comes as stdout. */
  readonly terminal?: TerminalSize;
  readonly collect?: CommandCollect;
}

/** Where a command runs: what its sandbox shows. */
export interface CommandPlace {
  /** A layer that is the root, or null for the host's own programs, read-only. */
  readonly rootLayer: string | null;
  readonly kept: readonly KeptLayer[];
  readonly isKept: boolean;
}

const MiB = 1024 * 1024;
const ORDINARY_CPU_SHARES = 1024;

/** The variables of a command that names none. */
export const commandVariables: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: WORKSPACE_DIRECTORY,
  LANG: 'C.UTF-8',
  TMPDIR: '/tmp',
  USER: 'program',
};

/** The complete spec of a command; throws SystemError `request-invalid` or `limit-above-maximum` with everything that is wrong. */
export function toLaunchSpec(command: Command, place: CommandPlace): LaunchSpec {
  const problems = problemsOf(command);
  if (problems.length > 0) throw new SystemError('request-invalid', problems.join('; '));
  return {
    profile: place.rootLayer === null ? 'command' : 'execution',
    layers: place.rootLayer === null ? [] : [place.rootLayer],
    kept: place.kept,
    isKept: place.isKept,
    target: null,
    capture: null,
    argv: command.command,
    environment: { ...commandVariables, ...command.environment },
    directory: WORKSPACE_DIRECTORY,
    files: (command.files ?? []).map(toSandboxFile),
    systemFiles: [],
    stdin: typeof command.stdin === 'string' ? Buffer.from(command.stdin) : (command.stdin ?? null),
    egress: null,
    limits: toLimits(command.limits ?? {}),
    cpuShares: command.cpuShares ?? ORDINARY_CPU_SHARES,
    cpus: command.cpus ?? null,
    terminal: command.terminal ?? null,
    collect: command.collect === undefined ? null : toCollectSpec(command.collect),
  };
}

function toLimits(asked: Limits): AllLimits {
  const { limits, excesses } = resolveLimits(asked, 'run', limitCeilings);
  if (excesses.length === 0) return limits;
  const sentences = excesses.map(({ limit, asked: value, maximum }) => `${limit} is ${value}, above ${maximum}`);
  throw new SystemError('limit-above-maximum', sentences.join('; '));
}

function toSandboxFile({ path, content, executable = false }: CommandFile): SandboxFile {
  return { path, isExecutable: executable, content: typeof content === 'string' ? Buffer.from(content) : content };
}

function toCollectSpec({ patterns, bytesMax = 64 * MiB, filesMax = 1000 }: CommandCollect): CollectSpec {
  return { patterns, bytesMax, filesMax };
}

function problemsOf({
  command,
  files = [],
  environment = {},
  limits = {},
  cpuShares,
  cpus,
  terminal,
}: Command): string[] {
  const problems: string[] = [];
  if (!Array.isArray(command) || command.length === 0) problems.push('command is empty: give a program');
  if (command.some((word) => typeof word !== 'string' || word.includes('\0')))
    problems.push('command holds something that is not text without NUL');
  for (const { path } of files) {
    if (!isPathInside(path)) problems.push(`the file '${path}' has no path inside the workspace`);
  }
  for (const [name, value] of Object.entries(environment)) {
    if (!/^[^=\0]+$/.test(name) || String(value).includes('\0')) problems.push(`'${name}' is no variable`);
  }
  for (const error of Value.Errors(Limits, limits)) problems.push(`limits${error.path}: ${error.message}`);
  if (cpuShares !== undefined && !(Number.isInteger(cpuShares) && cpuShares >= 2 && cpuShares <= 262_144))
    problems.push(`cpuShares is ${cpuShares}: give a whole number from 2 to 262144`);
  if (cpus !== undefined && !/^[0-9][0-9,-]*$/.test(cpus))
    problems.push(`cpus is '${cpus}': give a list like 0 or 2-3`);
  if (terminal !== undefined && ![terminal.rows, terminal.columns].every(isTerminalLength))
    problems.push('a terminal has 1 to 65535 rows and columns');
  return problems;
}

/** Is this a relative path whose every part names something below? */
export function isPathInside(path: string): boolean {
  return !path.includes('\0') && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

function isTerminalLength(length: number): boolean {
  return Number.isInteger(length) && length >= 1 && length <= 65_535;
}
