/**
 * Owns one lease from its order to its result: layers, compile, run; a straight line.
 * Never talks to the coordinator and never holds a slot: the agent does. Never gives a verdict to our own failures.
 * Invariant: layers and the compile step's writable layer are let go of on every way out; after `cancel` there is no result, after `fail` only
 * a failure.
 */
import type { Clock } from '../../shared/clock.ts';
import { SystemError, toSystemError } from '../../shared/errors.ts';
import type { AcquiredLayers, LayerSource } from '../../shared/layers/layer-source.ts';
import type { AllLimits } from '../../shared/model/limits.ts';
import { WORKSPACE_DIRECTORY } from '../../shared/model/toolchain-variables.ts';
import type { Report } from '../../shared/model/verdict.ts';
import type { LeaseResultMessage } from '../../shared/protocol/agent-messages.ts';
import type { LeaseOrderMessage } from '../../shared/protocol/coordinator-messages.ts';
import { isJudgeable, judge } from '../../shared/sandbox/judge.ts';
import { toLaunchSentence } from '../../shared/sandbox/launch-failure.ts';
import { OutputBuffer } from '../../shared/sandbox/output-buffer.ts';
import type {
  KeptLayer,
  Launch,
  LaunchListener,
  LaunchReport,
  LaunchSpec,
  Sandbox,
  SandboxFile,
} from '../../shared/sandbox/sandbox.ts';
import { toScriptLaunch } from '../../shared/sandbox/script.ts';
import { type AcquiredFiles, type AgentFiles, acquireFiles, noFiles } from '../files/agent-files.ts';
import { type Collected, Collection } from '../files/collection.ts';
import type { SlotCpus } from './slot-cpus.ts';
import { toSandboxFiles, toStdin, toVariables } from './workspace.ts';

/** What an execution needs. */
export interface ExecutorNeeds {
  readonly sandbox: Pick<Sandbox, 'launch' | 'release'>;
  readonly layers: Pick<LayerSource, 'acquire'>;
  readonly clock: Clock;
  /** Files that orders name; absent: an order that names some fails. */
  readonly files?: Pick<AgentFiles, 'acquire'>;
  /** Processors of its slot; null or absent: any. */
  readonly cpus?: SlotCpus;
}

/** Scripts 3 and 4. */
export type LeasedScript = 'compile' | 'run';

/** Who hears what goes on; a chunk is only good during the call. */
export interface ExecutionListener {
  running(): void;
  /** How many of the missing bytes of its layers have come. */
  fetching(bytes: number, bytesTotal: number): void;
  /** Called only for orders with `isOutputStreamed`. */
  output(script: LeasedScript, stream: 'stdout' | 'stderr', chunk: Uint8Array): void;
}

interface Stage {
  readonly script: LeasedScript;
  readonly text: string;
  readonly args: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
  readonly limits: AllLimits;
  readonly stdin: LaunchSpec['stdin'];
  readonly files: readonly SandboxFile[];
  readonly kept: readonly KeptLayer[];
}

const ORDINARY_CPU_SHARES = 1024;
const nothing: readonly never[] = [];

/** One lease's execution; `execute` is called once. */
export class Execution {
  readonly #needs: ExecutorNeeds;
  readonly #order: LeaseOrderMessage;
  readonly #slot: number;
  readonly #listener: ExecutionListener;
  readonly #timing = { fetchMs: 0, prepareMs: 0, executeMs: 0, collectMs: 0 };
  #launch: Launch | null = null;
  #compileLayer: KeptLayer | null = null;
  readonly #collection: Collection | null;
  #isCancelled = false;
  #failure: SystemError | null = null;
  #isAnnounced = false;

  constructor(needs: ExecutorNeeds, order: LeaseOrderMessage, slot: number, listener: ExecutionListener) {
    this.#needs = needs;
    this.#order = order;
    this.#slot = slot;
    this.#listener = listener;
    this.#collection = Collection.of(order, needs.clock);
  }

  /** Ends it without a result. Idempotent. */
  cancel(): void {
    this.#isCancelled = true;
    this.#collection?.cancel();
    this.#launch?.kill();
  }

  /** Ends it with this as its failure. Idempotent. */
  fail(failure: SystemError): void {
    this.#failure ??= failure;
    this.#collection?.cancel();
    this.#launch?.kill();
  }

  /** The result, or null after `cancel`. Never rejects: our own failures are the result's `failure`. */
  async execute(): Promise<LeaseResultMessage | null> {
    let layers: AcquiredLayers | null = null;
    let files = noFiles;
    try {
      const startMs = this.#needs.clock.monotonicMs();
      const { layers: references, tenantId } = this.#order;
      const listener = (bytes: number, bytesTotal: number) => this.#listener.fetching(bytes, bytesTotal);
      layers = await this.#needs.layers.acquire(references, tenantId, listener);
      if (this.#order.inputs !== undefined) files = await acquireFiles(this.#needs.files, this.#order);
      this.#timing.fetchMs = this.#needs.clock.monotonicMs() - startMs;
      return await this.#runScripts(layers, files);
    } catch (error) {
      return this.#isCancelled ? null : this.#toFailure(toSystemError(error), layers);
    } finally {
      if (this.#compileLayer !== null) this.#needs.sandbox.release(this.#compileLayer);
      layers?.release();
      files.release();
    }
  }

  async #runScripts(layers: AcquiredLayers, acquired: AcquiredFiles): Promise<LeaseResultMessage | null> {
    const { compile, run, files } = this.#order;
    if (this.#isCancelled) return null;
    let compiled: Report | null = null;
    if (compile !== null) {
      const { script: text, limits, variables } = compile;
      const stage: Stage = {
        ...{ script: 'compile', text, limits, variables, args: nothing, stdin: null, kept: nothing },
        files: toSandboxFiles(files, acquired),
      };
      compiled = await this.#runScript(stage, layers);
      if (compiled === null) return null;
      if (compiled.verdict !== 'ok') return this.#toResult(layers, 'compile', compiled, null);
    }
    const { script: text, limits, variables, arguments: args } = run;
    const ran = await this.#runScript(
      {
        ...{ script: 'run', text, limits, variables, args, stdin: toStdin(run.stdin, run.stdinEncoding, acquired) },
        files: compiled === null ? toSandboxFiles(files, acquired) : nothing,
        kept: this.#compileLayer === null ? nothing : [this.#compileLayer],
      },
      layers,
    );
    if (ran === null) return null;
    const collected = await this.#collect();
    return this.#isCancelled ? null : { ...this.#toResult(layers, 'run', compiled, ran), ...collected };
  }

  /** The script's Report, or null when it was cancelled. */
  async #runScript(stage: Stage, layers: AcquiredLayers): Promise<Report | null> {
    if (this.#failure !== null) throw this.#failure;
    const { argv, file } = toScriptLaunch(stage.text, stage.args);
    const stdout = new OutputBuffer();
    const stderr = new OutputBuffer();
    const isCompile = stage.script === 'compile';
    const launch = this.#needs.sandbox.launch(
      {
        profile: 'execution',
        layers: layers.names,
        kept: stage.kept,
        isKept: isCompile,
        target: null,
        capture: null,
        argv,
        environment: toVariables(layers.manifests, stage.variables),
        directory: WORKSPACE_DIRECTORY,
        files: stage.files,
        systemFiles: [file],
        stdin: stage.stdin,
        egress: null,
        limits: stage.limits,
        cpuShares: ORDINARY_CPU_SHARES,
        cpus: this.#needs.cpus ?? null,
        terminal: null,
        collect: isCompile ? null : (this.#collection?.spec ?? null),
      },
      this.#toLaunchListener(stage.script, stdout, stderr),
    );
    this.#launch = launch;
    this.#announceRunning();
    if (isCompile) this.#compileLayer = launch.kept;
    const report = await launch.report;
    this.#launch = null;
    this.#account(report);
    if (this.#isCancelled) return null;
    if (this.#failure !== null) throw this.#failure;
    if (!isJudgeable(report)) throw toSandboxError(stage.script, report);
    return judge({
      ...{ launch: report, limits: stage.limits, slot: this.#slot },
      ...{ stdout: stdout.bytes(), stderr: stderr.bytes() },
    });
  }

  #toLaunchListener(script: LeasedScript, stdout: OutputBuffer, stderr: OutputBuffer): LaunchListener {
    const isStreamed = this.#order.isOutputStreamed;
    return {
      stdout: (chunk) => {
        stdout.append(chunk);
        if (isStreamed) this.#listener.output(script, 'stdout', chunk);
      },
      stderr: (chunk) => {
        stderr.append(chunk);
        if (isStreamed) this.#listener.output(script, 'stderr', chunk);
      },
      ...this.#collection?.listener,
    };
  }

  /** Sends what the run has left; it is not over for its client before that. */
  async #collect(): Promise<Collected> {
    if (this.#collection === null) return {};
    const startMs = this.#needs.clock.monotonicMs();
    const collected = await this.#collection.send();
    this.#timing.collectMs += this.#needs.clock.monotonicMs() - startMs;
    if (this.#failure !== null) throw this.#failure;
    return collected;
  }

  /** Said once, after the launcher has its order: it works while we say it. */
  #announceRunning(): void {
    if (this.#isAnnounced) return;
    this.#isAnnounced = true;
    this.#listener.running();
  }

  #account(report: LaunchReport): void {
    this.#timing.prepareMs += report.takeMs + report.mountMs + report.execMs;
    this.#timing.executeMs += report.wallTimeMs;
    this.#timing.collectMs += report.collectMs;
  }

  #toResult(
    layers: AcquiredLayers,
    endedIn: LeasedScript,
    compile: Report | null,
    run: Report | null,
  ): LeaseResultMessage {
    const verdict = (run ?? compile)?.verdict ?? null;
    return { verdict, endedIn, compile, run, layers: layers.uses, timing: this.#timing, failure: null };
  }

  #toFailure(error: SystemError, layers: AcquiredLayers | null): LeaseResultMessage {
    // A lost launcher is a failed sandbox to whoever waits for the result.
    const isLauncherLost = error.code === 'launcher-unavailable';
    const failure = {
      code: isLauncherLost ? 'sandbox-failed' : error.code,
      detail: error.message,
      // What was revoked here is revoked everywhere: it takes other layers, not another agent.
      isRetryable: isLauncherLost || (error.isRetryable && error.code !== 'layer-revoked'),
    };
    const reports = { verdict: null, endedIn: null, compile: null, run: null };
    return { ...reports, layers: layers?.uses ?? [], timing: this.#timing, failure };
  }
}

function toSandboxError(script: LeasedScript, report: LaunchReport): SystemError {
  return new SystemError('sandbox-failed', `the ${script} script did not run: ${toLaunchSentence(report)}`);
}
