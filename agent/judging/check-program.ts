/**
 * Owns a check program of one lease: its layers, its compile step or what is left of an earlier one, and how a test becomes what it finds.
 * Never decides what its end means (check-verdict). Invariant: what it holds is let go of by `release`, whatever happened.
 */
import { createHash } from 'node:crypto';
import type { AcquiredLayers, LayerSource } from '../../shared/layers/layer-source.ts';
import type { Report } from '../../shared/model/verdict.ts';
import type { CheckOrder } from '../../shared/protocol/coordinator-messages.ts';
import type { KeptLayer, SandboxFile } from '../../shared/sandbox/sandbox.ts';
import { type Script, type ScriptPlace, type ScriptRuns, toReport } from '../execution/script-runs.ts';
import { toSandboxFiles, toVariables } from '../execution/workspace.ts';
import type { CompiledChecks } from './compiled-checks.ts';

/** What a check program needs. */
export interface CheckProgramNeeds {
  readonly runs: ScriptRuns;
  readonly layers: Pick<LayerSource, 'acquire'>;
  readonly checks?: CompiledChecks;
}

/** What a check program finds of a test; `output` is the solution's, or empty and to be written. */
export interface CheckedTest {
  readonly input: Uint8Array;
  readonly output: Uint8Array;
  readonly answer: Uint8Array;
}

/** Where it finds a test, below the workspace; they are its last three arguments. */
const places = { input: '.test/input', output: '.test/output', answer: '.test/answer' } as const;
const nothing: readonly never[] = [];

/** See the head of this file. */
export class CheckProgram {
  readonly acquired: AcquiredLayers;
  /** Of its compile step, when there is one, at whatever time it ran. */
  compiled: Report | null = null;
  readonly #needs: CheckProgramNeeds;
  readonly #order: CheckOrder;
  #kept: KeptLayer | null = null;
  /** Whose the compiled program is; null: this lease's. */
  #key: string | null = null;
  #unuse: () => void = () => undefined;

  private constructor(needs: CheckProgramNeeds, order: CheckOrder, acquired: AcquiredLayers) {
    this.#needs = needs;
    this.#order = order;
    this.acquired = acquired;
  }

  /** With its layers and compiled, or with the Report of a compile step that failed; null when the lease was cancelled. */
  static async prepare(
    needs: CheckProgramNeeds,
    order: CheckOrder,
    tenantId: string,
    place: ScriptPlace,
  ): Promise<CheckProgram | null> {
    const acquired = await needs.layers.acquire(order.layers, tenantId);
    const program = new CheckProgram(needs, order, acquired);
    try {
      if (order.compile === null || (await program.#compile(order.compile, tenantId, place))) return program;
    } catch (error) {
      program.release();
      throw error;
    }
    program.release();
    return null;
  }

  get isUsable(): boolean {
    return this.compiled === null || this.compiled.verdict === 'ok';
  }

  /** False when the lease was cancelled. */
  async #compile(
    { script: text, limits, variables }: NonNullable<CheckOrder['compile']>,
    tenantId: string,
    place: ScriptPlace,
  ): Promise<boolean> {
    const { runs, checks } = this.#needs;
    const { layers, files } = this.#order;
    const key = toKey([
      tenantId,
      this.acquired.uses.map(({ digest }) => digest),
      layers.length,
      files,
      text,
      variables,
      limits,
    ]);
    const before = checks?.acquire(key) ?? null;
    if (before !== null) {
      this.#take(before.compiled.kept, key, before.release);
      this.compiled = before.compiled.report;
      return true;
    }
    const running = runs.begin(
      {
        ...{ name: "check's compile", text, args: nothing, limits, stdin: null, kept: nothing, isKept: true },
        ...{ environment: toVariables(this.acquired.manifests, variables), layers: this.acquired.names },
        files: toSandboxFiles(files),
      },
      place,
    );
    const end = await running.ended;
    if (end === null) return false;
    const report = toReport(end, limits, place.slot);
    this.compiled = report;
    if (report.verdict !== 'ok' || runs.isCancelled) return !runs.isCancelled;
    const kept = checks?.add(key, { kept: running.kept, report }, end.launch.diskBytes) ?? null;
    if (kept !== null) runs.giveAway(running.kept);
    this.#take(running.kept, kept === null ? null : key, kept?.release ?? (() => undefined));
    return true;
  }

  #take(kept: KeptLayer, key: string | null, release: () => void): void {
    this.#kept = kept;
    this.#key = key;
    this.#unuse = release;
  }

  /** Its run script for a test; `stdin` is what it reads beside the test's files. */
  toScript(test: CheckedTest, stdin: Script['stdin']): Script {
    const { run, files } = this.#order;
    const ofTest = (Object.keys(places) as (keyof typeof places)[]).map(
      (name): SandboxFile => ({ path: places[name], isExecutable: false, content: test[name] }),
    );
    return {
      ...{ name: 'check', text: run.script, limits: run.limits, stdin, isKept: false },
      args: [...run.arguments, places.input, places.output, places.answer],
      environment: toVariables(this.acquired.manifests, run.variables),
      files: [...(this.#kept === null ? toSandboxFiles(files) : nothing), ...ofTest],
      layers: this.acquired.names,
      kept: this.#kept === null ? nothing : [this.#kept],
    };
  }

  /** It could not be run: what an earlier lease compiled may be gone. */
  failed(): void {
    if (this.#key !== null) this.#needs.checks?.forget(this.#key);
  }

  release(): void {
    const unuse = this.#unuse;
    this.#unuse = () => undefined;
    unuse();
    this.acquired.release();
  }
}

function toKey(parts: unknown): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64');
}
