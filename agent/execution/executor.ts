/**
 * Owns one lease from its order to its result: layers, compile, then run or tests; a straight line.
 * Never talks to the coordinator and never holds a slot: the agent does. Never gives a verdict to our own failures.
 * Invariant: layers and the compile step's writable layer are let go of on every way out; after `cancel` there is no result, after `fail` only
 * a failure.
 */
import type { Clock } from '../../shared/clock.ts';
import { isOfDisk, SystemError, toSystemError } from '../../shared/errors.ts';
import type { AcquiredLayers, LayerSource } from '../../shared/layers/layer-source.ts';
import type { TestResult } from '../../shared/model/judging.ts';
import type { Report } from '../../shared/model/verdict.ts';
import type { LeaseResultMessage } from '../../shared/protocol/agent-messages.ts';
import type { LeaseOrderMessage } from '../../shared/protocol/coordinator-messages.ts';
import type { KeptLayer, Sandbox } from '../../shared/sandbox/sandbox.ts';
import { type AcquiredFiles, type AgentFiles, acquireFiles, noFiles } from '../files/agent-files.ts';
import { type Collected, Collection } from '../files/collection.ts';
import type { CompiledChecks } from '../judging/compiled-checks.ts';
import { Judging, type JudgingEnd } from '../judging/judging.ts';
import type { TimingWatch, TimingWatcher } from '../timing/timing-witness.ts';
import type { LeaseTerminal } from './lease-terminal.ts';
import type { LeaseTrace } from './lease-trace.ts';
import type { SlotLender } from './lent-slots.ts';
import { type Script, ScriptRuns, toReport } from './script-runs.ts';
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
  /** What the run script has as standard input and output, if its order wants one. */
  readonly terminal?: LeaseTerminal | null;
  /** Further slots, while nobody else needs them; absent: none. */
  readonly slots?: SlotLender;
  /** Check programs of executions before; absent: each compiles its own. */
  readonly checks?: CompiledChecks;
  /** What hears of its steps; null or absent: nothing. */
  readonly trace?: LeaseTrace | null;
  /** Who certifies the times of its runs; absent: nobody. */
  readonly timing?: TimingWatcher | undefined;
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
  /** A test is over; `index` is its place in the order. */
  tested(index: number, result: TestResult): void;
}

const nothing: readonly never[] = [];

/** What an execution has found out. */
type Findings = Partial<
  Pick<LeaseResultMessage, 'compile' | 'run' | 'tests' | 'check' | 'files' | 'uncollected' | 'certificate'>
> &
  Pick<LeaseResultMessage, 'verdict' | 'endedIn'>;

/** One lease's execution; `execute` is called once. */
export class Execution {
  readonly #needs: ExecutorNeeds;
  readonly #order: LeaseOrderMessage;
  readonly #slot: number;
  readonly #listener: ExecutionListener;
  readonly #runs: ScriptRuns;
  readonly #collection: Collection | null;
  /** Of the lease, while it runs. */
  #files: AcquiredFiles = noFiles;
  #startMs = 0;
  #fetchMs = 0;
  #isAnnounced = false;
  #watch: TimingWatch | null = null;

  constructor(needs: ExecutorNeeds, order: LeaseOrderMessage, slot: number, listener: ExecutionListener) {
    this.#needs = needs;
    this.#order = order;
    this.#slot = slot;
    this.#listener = listener;
    this.#runs = new ScriptRuns(needs.sandbox, needs.trace);
    this.#collection = Collection.of(order, needs.clock);
  }

  /** Ends it without a result. Idempotent. */
  cancel(): void {
    this.#runs.cancel();
    this.#collection?.cancel();
  }

  /** Ends it with this as its failure. Idempotent. */
  fail(failure: SystemError): void {
    this.#runs.fail(failure);
    this.#collection?.cancel();
  }

  /** The result, or null after `cancel`. Never rejects: our own failures are the result's `failure`. */
  async execute(): Promise<LeaseResultMessage | null> {
    let layers: AcquiredLayers | null = null;
    try {
      this.#startMs = this.#needs.clock.monotonicMs();
      const { layers: references, tenantId } = this.#order;
      const listener = (bytes: number, bytesTotal: number) => this.#listener.fetching(bytes, bytesTotal);
      layers = await this.#needs.layers.acquire(references, tenantId, listener);
      if (this.#order.inputs !== undefined) this.#files = await acquireFiles(this.#needs.files, this.#order);
      this.#fetchMs = this.#needs.clock.monotonicMs() - this.#startMs;
      this.#needs.trace?.fetched();
      const found = this.#runs.isCancelled ? null : await this.#runScripts(layers);
      return found === null ? null : this.#toResult(layers, found);
    } catch (error) {
      return this.#runs.isCancelled ? null : this.#toFailure(toFailureOfAgent(error), layers);
    } finally {
      this.#runs.release();
      layers?.release();
      this.#files.release();
    }
  }

  async #runScripts(layers: AcquiredLayers): Promise<Findings | null> {
    const { compile, tests } = this.#order;
    if (compile === null) {
      const files = toSandboxFiles(this.#order.files, this.#files);
      return await (tests === undefined ? this.#run(layers, files, null) : this.#judge(layers, files, null));
    }
    const { script: text, limits, variables } = compile;
    const script: Script = {
      ...{ name: 'compile', text, args: nothing, limits, stdin: null, kept: nothing, isKept: true },
      ...{ environment: toVariables(layers.manifests, variables), layers: layers.names },
      files: toSandboxFiles(this.#order.files, this.#files),
    };
    const compiled = await this.#runScript('compile', script);
    if (compiled === null) return null;
    const { report, kept } = compiled;
    if (report.verdict !== 'ok') return { verdict: report.verdict, endedIn: 'compile', compile: report };
    const found = await (tests === undefined ? this.#run(layers, nothing, kept) : this.#judge(layers, nothing, kept));
    return found === null ? null : { ...found, compile: report };
  }

  async #run(layers: AcquiredLayers, files: Script['files'], kept: KeptLayer | null): Promise<Findings | null> {
    const { run } = this.#order;
    const stdin = toStdin(run.stdin, run.stdinEncoding, this.#files);
    const { terminal = null } = this.#needs;
    const script = {
      ...this.#toSolution(layers, files, kept),
      args: run.arguments,
      stdin,
      terminal,
      collection: this.#collection,
    };
    const ran = await this.#runScript('run', script);
    if (ran === null) return null;
    const { report } = ran;
    const timing = this.#certify([report]);
    const collected = await this.#collect();
    if (this.#runs.isCancelled) return null;
    return { verdict: report.verdict, endedIn: 'run', run: report, ...timing, ...collected };
  }

  /** Script 4, but for what each test has of its own. */
  #toSolution(layers: AcquiredLayers, files: Script['files'], kept: KeptLayer | null): Omit<Script, 'args' | 'stdin'> {
    const { script: text, limits, variables } = this.#order.run;
    return {
      ...{ name: 'run', text, limits, files, layers: layers.names, isKept: false },
      environment: toVariables(layers.manifests, variables),
      kept: kept === null ? nothing : [kept],
    };
  }

  async #judge(layers: AcquiredLayers, files: Script['files'], kept: KeptLayer | null): Promise<Findings | null> {
    const { tenantId, tests } = this.#order;
    if (tests === undefined) throw new Error('an order without tests has nothing to judge');
    const place = { slot: this.#slot, cpus: this.#needs.cpus ?? null };
    const judging = new Judging(
      { ...this.#needs, runs: this.#runs },
      { tenantId, tests, layers, place, files: this.#files, solution: this.#toSolution(layers, files, kept) },
      {
        running: () => {
          this.#watchTiming();
          this.#announceRunning();
        },
        tested: (index, result) => this.#listener.tested(index, result),
      },
    );
    const end: JudgingEnd | null = await judging.judge();
    const reports = end?.tests?.flatMap(({ report, check }) => [report, check?.report ?? null]) ?? [];
    return end === null ? null : { ...end, ...this.#certify(reports.filter((report) => report !== null)) };
  }

  /** From here on what runs is certified: the launcher has its order, and works while we look. */
  #watchTiming(): void {
    this.#watch ??= this.#needs.timing?.begin(this.#needs.cpus ?? null) ?? null;
  }

  #certify(reports: readonly Report[]): Pick<Findings, 'certificate'> {
    return this.#watch === null ? {} : { certificate: this.#watch.end(reports) };
  }

  /** The script's Report and what it leaves, or null when it was cancelled. */
  async #runScript(name: LeasedScript, script: Script): Promise<{ report: Report; kept: KeptLayer } | null> {
    const hearer = {
      stdout: (chunk: Uint8Array) => this.#listener.output(name, 'stdout', chunk),
      stderr: (chunk: Uint8Array) => this.#listener.output(name, 'stderr', chunk),
    };
    const place = { slot: this.#slot, cpus: this.#needs.cpus ?? null };
    const isStreamed = this.#order.isOutputStreamed && (script.terminal?.isPiped ?? true);
    const running = this.#runs.begin(script, place, isStreamed ? hearer : {});
    if (name === 'run') this.#watchTiming();
    this.#announceRunning();
    const end = await running.ended;
    return end === null ? null : { report: toReport(end, script.limits, this.#slot), kept: running.kept };
  }

  /** Sends what the run has left; it is not over for its client before that. */
  async #collect(): Promise<Collected> {
    if (this.#collection === null) return {};
    const startMs = this.#needs.clock.monotonicMs();
    const collected = await this.#collection.send();
    this.#runs.timing.collectMs += this.#needs.clock.monotonicMs() - startMs;
    this.#runs.check();
    return collected;
  }

  /** Said once, after the launcher has its order: it works while we say it. */
  #announceRunning(): void {
    if (this.#isAnnounced) return;
    this.#isAnnounced = true;
    this.#listener.running();
  }

  get #timing(): LeaseResultMessage['timing'] {
    const { timing } = this.#runs;
    const known = this.#fetchMs + timing.prepareMs + timing.executeMs + timing.collectMs;
    // Tests that ran at the same time have more between them than there was.
    const agentMs = Math.max(0, this.#needs.clock.monotonicMs() - this.#startMs - known);
    return { fetchMs: this.#fetchMs, ...timing, agentMs };
  }

  #toResult(layers: AcquiredLayers, found: Findings): LeaseResultMessage {
    return { compile: null, run: null, ...found, layers: layers.uses, timing: this.#timing, failure: null };
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

/** A disk that is full or broken is this machine's trouble: another one may do it. */
function toFailureOfAgent(error: unknown): SystemError {
  if (!isOfDisk(error)) return toSystemError(error);
  return new SystemError('sandbox-failed', `this machine's disk failed: ${error.message}`, { cause: error });
}
