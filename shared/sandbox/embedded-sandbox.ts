/**
 * Owns `envicutor/sandbox`: fresh sandboxes for a program that embeds us, by a launcher of its own.
 * Never leaves anything behind: the launcher ends with its socket, however this process ends, and keeps nothing on disk.
 * Invariant: this process stays alive while a command runs and no longer; every result is of a program that ran or was refused to,
 * what is our own failure rejects.
 */
import { realpathSync } from 'node:fs';
import { SystemError } from '../errors.ts';
import type { AllLimits } from '../model/limits.ts';
import type { Report } from '../model/verdict.ts';
import { CollectedFiles, type CollectedOutput } from './collected-files.ts';
import { type Command, toLaunchSpec } from './command.ts';
import { isJudgeable, judge } from './judge.ts';
import { toLaunchSentence } from './launch-failure.ts';
import { LauncherHost, toHostedArguments } from './launcher-host.ts';
import { OutputBuffer } from './output-buffer.ts';
import type { KeptLayer, Launch, LaunchReport, Sandbox, SandboxFacts, TerminalSize } from './sandbox.ts';

export { type ErrorCode, SystemError } from '../errors.ts';
export type { Limits } from '../model/limits.ts';
export type { Report, Usage, Verdict } from '../model/verdict.ts';
export type { CollectedOutput } from './collected-files.ts';
export type { Command, CommandCollect, CommandFile } from './command.ts';
export { describeMissing } from './launcher-facts.ts';
export type { CollectedState, SandboxFacts, TerminalSize } from './sandbox.ts';

/** How a sandbox is made. */
export interface SandboxOptions {
  /** A directory that every command sees as its read-only root, not copied; without it the host's own programs (/usr) are shown. */
  readonly root?: string;
  /** Most sandboxes that are kept ready ahead of time; default 2. */
  readonly stock?: number;
  /** cgroup v2: an existing directory below which the sandboxes' own are made; default: the top for root, else our own cgroup. */
  readonly cgroupPath?: string;
  /** Path of another launcher than the one that belongs to this code. */
  readonly launcherPath?: string;
}

/** How one command is run. */
export interface RunOptions {
  /** Workspaces that earlier commands kept, lowest first: the command sees and may change its own copy. */
  readonly layers?: readonly KeptWorkspace[];
  /** Keep the workspace, so that later commands start from it. */
  readonly keep?: boolean;
  /** Called when the program's exec succeeded. */
  readonly onStarted?: () => void;
  /** Output as it comes; a promise holds further output back. A chunk is only good during the call. */
  readonly onStdout?: (chunk: Uint8Array) => void | Promise<void>;
  readonly onStderr?: (chunk: Uint8Array) => void | Promise<void>;
  /** Ends the command; the run then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** What became of a command: the Report of the HTTP API, and what JSON can't carry. */
export interface CommandResult extends Report {
  /** The output's exact bytes. */
  readonly output: { readonly stdout: Uint8Array; readonly stderr: Uint8Array };
  /** Files that `collect` asked for. */
  readonly files: readonly CollectedOutput[];
  /** The workspace, when it was to be kept and the program started; to be released. */
  readonly kept: KeptWorkspace | null;
  /** Where our own time went; milliseconds. */
  readonly timing: {
    readonly takeMs: number;
    readonly mountMs: number;
    readonly execMs: number;
    readonly collectMs: number;
  };
}

/** A command under way. */
export interface RunningCommand {
  readonly result: Promise<CommandResult>;
  /** Ends it: the result rejects. Idempotent. */
  kill(): void;
  /** Tells its terminal the new size. */
  resize(size: TerminalSize): void;
}

/** A workspace that a command left, usable as a layer of later ones. */
export interface KeptWorkspace extends KeptLayer, Disposable {
  /** Drops it; commands that run on it are not disturbed. Idempotent. */
  release(): void;
}

/**
 * Makes fresh sandboxes; SystemError `launcher-unavailable` says why this host or user can't have them, with the remedy,
 * `request-invalid` what is wrong with an option.
 */
export async function createSandbox(options: SandboxOptions = {}): Promise<EmbeddedSandbox> {
  const host = new LauncherHost(options.launcherPath, toLauncherArguments(options));
  try {
    return new EmbeddedSandbox(await host.connect(), host, options.root === undefined ? null : ROOT_LAYER);
  } catch (error) {
    throw await host.explain('no sandbox can be made here', error);
  } finally {
    host.done();
  }
}

/** The launcher's name for what its --root-layer shows. */
const ROOT_LAYER = 'root';
const STOCK = 2;

function toLauncherArguments({ root, stock = STOCK, cgroupPath }: SandboxOptions): string[] {
  const ours = toHostedArguments({ stock, cgroupPath });
  return root === undefined ? [...ours, '--stock-profile', 'command'] : [...ours, '--root-layer', toDirectory(root)];
}

function toDirectory(path: string): string {
  try {
    return realpathSync(path);
  } catch (cause) {
    throw new SystemError('request-invalid', `the root '${path}' can't be used: ${String(cause)}`, { cause });
  }
}

/** Runs commands, each in a fresh sandbox; made by `createSandbox`. */
export class EmbeddedSandbox implements AsyncDisposable {
  /** What the launcher says about this machine. */
  readonly facts: SandboxFacts;
  readonly #sandbox: Sandbox;
  readonly #host: LauncherHost;
  readonly #rootLayer: string | null;
  #isClosed = false;

  constructor(sandbox: Sandbox, host: LauncherHost, rootLayer: string | null) {
    this.facts = sandbox.facts;
    this.#sandbox = sandbox;
    this.#host = host;
    this.#rootLayer = rootLayer;
  }

  /** Runs a command to its end; rejects like `start`'s result. */
  run(command: Command & RunOptions): Promise<CommandResult> {
    try {
      return this.start(command).result;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Starts a command. Throws SystemError `request-invalid` or `limit-above-maximum` for one that makes no sense; its result rejects
   * with `sandbox-failed`, `launcher-unavailable`, the signal's reason, or with what a listener or the source of stdin threw.
   */
  start(command: Command & RunOptions): RunningCommand {
    if (this.#isClosed) throw new SystemError('launcher-unavailable', 'this sandbox is closed');
    command.signal?.throwIfAborted();
    const { layers = [], keep = false } = command;
    const spec = toLaunchSpec(command, { rootLayer: this.#rootLayer, kept: layers, isKept: keep });
    this.#host.wait();
    const capture = new Capture(command);
    const launch = this.#sandbox.launch(spec, capture);
    const kill = launch.kill.bind(launch);
    command.signal?.addEventListener('abort', kill);
    const result = this.#result(launch, capture, spec.limits, command).finally(() => {
      command.signal?.removeEventListener('abort', kill);
      this.#host.done();
    });
    return { result, kill, resize: launch.resize.bind(launch) };
  }

  /** Ends what runs and the launcher; resolves when nothing of it is left. Idempotent. */
  async close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#host.wait();
      await this.#sandbox.close();
    }
    await this.#host.ended();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #result(launch: Launch, capture: Capture, limits: AllLimits, options: RunOptions): Promise<CommandResult> {
    const report = await launch.report.catch(async (error) => {
      if (this.#isClosed)
        throw new SystemError('launcher-unavailable', 'this sandbox was closed while the command ran');
      throw await this.#host.explain('the launcher was lost while the command ran', error);
    });
    const isKept = options.keep === true && report.startedAtMs !== null;
    const kept = isKept ? new Kept(launch.kept.launch, this.#sandbox) : null;
    if (!isJudgeable(report)) {
      kept?.release();
      options.signal?.throwIfAborted();
      throw toSandboxError(report);
    }
    const { takeMs, mountMs, execMs, collectMs } = report;
    const output = { stdout: capture.stdoutBuffer.bytes(), stderr: capture.stderrBuffer.bytes() };
    return {
      ...judge({ launch: report, limits, ...output, slot: null }),
      ...{ output, files: capture.files.all(), kept, timing: { takeMs, mountMs, execMs, collectMs } },
    };
  }
}

function toSandboxError(report: LaunchReport): SystemError {
  if (report.end === 'client') return new SystemError('sandbox-failed', 'the command was killed by its caller');
  return new SystemError('sandbox-failed', toLaunchSentence(report));
}

class Kept implements KeptWorkspace {
  readonly launch: bigint;
  readonly #sandbox: Sandbox;

  constructor(launch: bigint, sandbox: Sandbox) {
    this.launch = launch;
    this.#sandbox = sandbox;
  }

  release(): void {
    this.#sandbox.release(this);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

/** Listens to one launch and keeps what it said. */
class Capture {
  readonly stdoutBuffer = new OutputBuffer();
  readonly stderrBuffer = new OutputBuffer();
  readonly files = new CollectedFiles();
  readonly #options: RunOptions;

  constructor(options: RunOptions) {
    this.#options = options;
  }

  started(): void {
    this.#options.onStarted?.();
  }

  stdout(chunk: Uint8Array): void | Promise<void> {
    this.stdoutBuffer.append(chunk);
    return this.#options.onStdout?.(chunk);
  }

  stderr(chunk: Uint8Array): void | Promise<void> {
    this.stderrBuffer.append(chunk);
    return this.#options.onStderr?.(chunk);
  }

  collected(file: Parameters<CollectedFiles['begin']>[0]): void {
    this.files.begin(file);
  }

  collectedData(chunk: Uint8Array): void {
    this.files.append(chunk);
  }
}
