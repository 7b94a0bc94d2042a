/**
 * Owns the runs of one lease's scripts in sandboxes: how a script becomes a launch, what of it is counted, and their common end when the lease is
 * cancelled or fails. Never decides what runs, and never gives a verdict to our own failures.
 * Invariants: after `cancel` or `fail` nothing begins and everything that runs is killed; what a compile step left is let go of by `release`.
 */
import { SystemError } from '../../shared/errors.ts';
import type { AllLimits } from '../../shared/model/limits.ts';
import { WORKSPACE_DIRECTORY } from '../../shared/model/toolchain-variables.ts';
import type { Report } from '../../shared/model/verdict.ts';
import { isJudgeable, judge } from '../../shared/sandbox/judge.ts';
import { toLaunchSentence } from '../../shared/sandbox/launch-failure.ts';
import { OutputBuffer } from '../../shared/sandbox/output-buffer.ts';
import type {
  KeptLayer,
  Launch,
  LaunchReport,
  LaunchSpec,
  Sandbox,
  SandboxFile,
} from '../../shared/sandbox/sandbox.ts';
import { toScriptLaunch } from '../../shared/sandbox/script.ts';
import type { Collection } from '../files/collection.ts';
import type { LeaseTerminal } from './lease-terminal.ts';
import type { LeaseTrace } from './lease-trace.ts';
import type { SlotCpus } from './slot-cpus.ts';

/** Where a script runs. */
export interface ScriptPlace {
  readonly slot: number;
  readonly cpus: SlotCpus;
}

/** One script with all that it finds. */
export interface Script {
  /** For messages. */
  readonly name: string;
  readonly text: string;
  readonly args: readonly string[];
  /** All of them. */
  readonly environment: Readonly<Record<string, string>>;
  readonly limits: AllLimits;
  readonly stdin: LaunchSpec['stdin'];
  readonly files: readonly SandboxFile[];
  /** Names in the layer store, lowest first. */
  readonly layers: readonly string[];
  readonly kept: readonly KeptLayer[];
  /** Is its writable layer kept for scripts after it? */
  readonly isKept: boolean;
  /** What it has instead of pipes; absent: pipes. */
  readonly terminal?: LeaseTerminal | null;
  /** What takes files that it leaves; absent: nothing. */
  readonly collection?: Pick<Collection, 'spec' | 'listener'> | null;
}

/** Who hears a script's output while it runs; a chunk is only good during the call. */
export interface ScriptHearer {
  stdout?(chunk: Uint8Array): void;
  stderr?(chunk: Uint8Array): void;
}

/** What came of a script. */
export interface ScriptEnd {
  readonly launch: LaunchReport;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/** A script that runs. */
export interface ScriptRun {
  readonly kept: KeptLayer;
  /** Null when the lease was cancelled; rejects with what it fails by. */
  readonly ended: Promise<ScriptEnd | null>;
}

const ORDINARY_CPU_SHARES = 1024;

/** See the head of this file. */
export class ScriptRuns {
  /** Sums over all scripts; milliseconds. */
  readonly timing = { prepareMs: 0, takeMs: 0, mountMs: 0, execMs: 0, executeMs: 0, collectMs: 0 };
  readonly #sandbox: Pick<Sandbox, 'launch' | 'release'>;
  readonly #trace: Pick<LeaseTrace, 'began'> | null;
  readonly #launches = new Set<Launch>();
  readonly #kept = new Set<KeptLayer>();
  #isCancelled = false;
  #failure: SystemError | null = null;

  /** `trace`: what hears of every script. */
  constructor(sandbox: Pick<Sandbox, 'launch' | 'release'>, trace: Pick<LeaseTrace, 'began'> | null = null) {
    this.#sandbox = sandbox;
    this.#trace = trace;
  }

  get isCancelled(): boolean {
    return this.#isCancelled;
  }

  /** Ends all of them without results. Idempotent. */
  cancel(): void {
    this.#isCancelled = true;
    this.kill();
  }

  /** Ends all of them with this as their failure. Idempotent. */
  fail(failure: SystemError): void {
    this.#failure ??= failure;
    this.kill();
  }

  /** Ends what runs now. */
  kill(): void {
    for (const launch of this.#launches) launch.kill();
  }

  /** Throws what the lease fails by, if it does. */
  check(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  /** Begins a script; throws what the lease fails by. */
  begin(script: Script, { cpus }: Pick<ScriptPlace, 'cpus'>, hearer: ScriptHearer = {}): ScriptRun {
    this.check();
    const { argv, file } = toScriptLaunch(script.text, script.args);
    const stdout = new OutputBuffer();
    const stderr = new OutputBuffer();
    const { layers, kept, isKept, environment, files, stdin, limits, terminal = null, collection = null } = script;
    const outputWindowBytes = terminal?.outputWindowBytes ?? null;
    const launch = this.#sandbox.launch(
      {
        ...{ profile: 'execution', layers, kept, isKept, target: null, capture: null },
        ...{ argv, environment, directory: WORKSPACE_DIRECTORY, files, systemFiles: [file] },
        ...{ stdin: terminal === null ? stdin : terminal.input, egress: null, limits },
        ...{
          cpuShares: ORDINARY_CPU_SHARES,
          cpus,
          terminal: terminal?.size ?? null,
          collect: collection?.spec ?? null,
        },
        ...(outputWindowBytes === null ? {} : { outputWindowBytes }),
      },
      {
        started: () => terminal?.started(),
        stdout: (chunk) => {
          stdout.append(chunk);
          terminal?.output(chunk);
          hearer.stdout?.(chunk);
        },
        stderr: (chunk) => {
          stderr.append(chunk);
          hearer.stderr?.(chunk);
        },
        ...collection?.listener,
      },
    );
    terminal?.launched(launch);
    this.#launches.add(launch);
    if (isKept) this.#kept.add(launch.kept);
    return { kept: launch.kept, ended: this.#end(script.name, launch, stdout, stderr) };
  }

  async #end(name: string, launch: Launch, stdout: OutputBuffer, stderr: OutputBuffer): Promise<ScriptEnd | null> {
    const traced = this.#trace?.began(name);
    const report = await launch.report.finally(() => this.#launches.delete(launch));
    traced?.(report);
    this.timing.takeMs += report.takeMs;
    this.timing.mountMs += report.mountMs;
    this.timing.execMs += report.execMs;
    this.timing.prepareMs += report.takeMs + report.mountMs + report.execMs;
    this.timing.executeMs += report.wallTimeMs;
    this.timing.collectMs += report.collectMs;
    if (this.#isCancelled) return null;
    this.check();
    if (!isJudgeable(report)) {
      throw new SystemError('sandbox-failed', `the ${name} script did not run: ${toLaunchSentence(report)}`);
    }
    return { launch: report, stdout: stdout.bytes(), stderr: stderr.bytes() };
  }

  /** A kept layer is somebody else's to release from now on. */
  giveAway(kept: KeptLayer): void {
    this.#kept.delete(kept);
  }

  /** Lets go of what scripts have left; nothing of it can be used any more. */
  release(): void {
    for (const kept of this.#kept) this.#sandbox.release(kept);
    this.#kept.clear();
  }
}

/** The Report of a script; of each stream at most `outputBytesMax` are in it. */
export function toReport(
  end: ScriptEnd,
  limits: AllLimits,
  slot: number,
  outputBytesMax = Number.POSITIVE_INFINITY,
): Report {
  const stdout = cut(end.stdout, outputBytesMax);
  const stderr = cut(end.stderr, outputBytesMax);
  const report = judge({ launch: end.launch, limits, slot, stdout, stderr });
  return {
    ...report,
    stdoutTruncated: report.stdoutTruncated || stdout.length < end.stdout.length,
    stderrTruncated: report.stderrTruncated || stderr.length < end.stderr.length,
  };
}

/** Its beginning, with no character cut in two: what is text stays text. */
function cut(bytes: Buffer, bytesMax: number): Buffer {
  if (bytes.length <= bytesMax) return bytes;
  let end = bytesMax;
  while (end > bytesMax - 4 && end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end);
}
