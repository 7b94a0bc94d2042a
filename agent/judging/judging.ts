/**
 * Owns the tests of one lease: each is run, on the lease's slot and on others that are lent, and judged by comparison or by a program.
 * Never talks to the coordinator. Invariants: the outcome is that of a run on one slot, in the client's order; a slot that was lent is given back on
 * every way out, and after a while to whoever waits for it.
 */
import type { Clock } from '../../shared/clock.ts';
import { type Course, findSkipped, toSkipped, toVerdict } from '../../shared/judging/course.ts';
import type { AcquiredLayers, LayerSource } from '../../shared/layers/layer-source.ts';
import { TEST_OUTPUT_BYTES_MAX, type TestResult } from '../../shared/model/judging.ts';
import { decodeInput } from '../../shared/model/verdict.ts';
import type { LeaseResultMessage } from '../../shared/protocol/agent-messages.ts';
import type { TestsOrder } from '../../shared/protocol/coordinator-messages.ts';
import type { BorrowedSlot, SlotLender } from '../execution/lent-slots.ts';
import { type Script, type ScriptPlace, type ScriptRuns, toReport } from '../execution/script-runs.ts';
import { toStdin } from '../execution/workspace.ts';
import type { AcquiredFiles } from '../files/agent-files.ts';
import { CheckProgram } from './check-program.ts';
import { toCheckVerdict } from './check-verdict.ts';
import { compare } from './comparison.ts';
import type { CompiledChecks } from './compiled-checks.ts';
import { interact, toInteractionVerdict } from './interaction.ts';

/** What judging needs. */
export interface JudgingNeeds {
  readonly runs: ScriptRuns;
  readonly layers: Pick<LayerSource, 'acquire'>;
  readonly clock: Clock;
  readonly slots?: SlotLender;
  readonly checks?: CompiledChecks;
}

/** What is judged. */
export interface JudgedOrder {
  readonly tenantId: string;
  readonly tests: TestsOrder;
  readonly layers: AcquiredLayers;
  /** The lease's own slot. */
  readonly place: ScriptPlace;
  /** What it names by id. */
  readonly files: AcquiredFiles;
  /** Script 4, but for what each test has of its own. */
  readonly solution: Omit<Script, 'args' | 'stdin'>;
}

/** Who hears what goes on. */
export interface JudgingListener {
  running(): void;
  tested(index: number, result: TestResult): void;
}

/** What all tests came to. */
export type JudgingEnd = Pick<LeaseResultMessage, 'verdict' | 'endedIn' | 'tests' | 'check'>;

type Case = TestsOrder['cases'][number];

/** A slot that was lent is given back after so long, for whoever waits for it. */
const TURN_MS = 1000;
/** And asked for again no sooner than this. */
const REST_MS = 100;
const nothing = Buffer.alloc(0);

/** See the head of this file; `judge` is called once. */
export class Judging {
  readonly #needs: JudgingNeeds;
  readonly #order: JudgedOrder;
  readonly #listener: JudgingListener;
  readonly #course: Course;
  readonly #results: (TestResult | undefined)[] = [];
  readonly #begun = new Set<number>();
  readonly #lanes = new Set<Promise<void>>();
  #program: CheckProgram | null = null;
  #restsUntilMs = 0;
  /** What went wrong beside the lease's own slot. */
  #failure: unknown = null;

  constructor(needs: JudgingNeeds, order: JudgedOrder, listener: JudgingListener) {
    this.#needs = needs;
    this.#order = order;
    this.#listener = listener;
    const { cases, requires, stopAfterFailures } = order.tests;
    this.#course = { groups: cases.map(({ group }) => group), requires, stopAfterFailures };
  }

  /** Null when the lease was cancelled. */
  async judge(): Promise<JudgingEnd | null> {
    const { tests, tenantId, place, files } = this.#order;
    const { check } = tests;
    try {
      if ('layers' in check) {
        this.#program = await CheckProgram.prepare(this.#needs, { order: check, tenantId, files }, place);
        if (this.#program === null) return null;
      }
      const prepared = this.#program === null ? {} : { check: toPreparation(this.#program) };
      if (this.#program?.isUsable === false) {
        return { verdict: 'checker-failed', endedIn: 'check', tests: toSkipped(tests.cases), ...prepared };
      }
      const results = await this.#runAll();
      return results === null ? null : { ...toVerdict(results), tests: results, ...prepared };
    } catch (error) {
      this.#program?.failed();
      throw error;
    } finally {
      this.#program?.release();
    }
  }

  async #runAll(): Promise<TestResult[] | null> {
    const { place, tests } = this.#order;
    try {
      // What a test that was still running would have made unnecessary may have been left out: that is made good.
      while (this.#next() !== null && !this.#needs.runs.isCancelled) {
        await this.#runLane(place, null);
        await Promise.all(this.#lanes);
        if (this.#failure !== null) throw this.#failure;
      }
    } catch (error) {
      this.#needs.runs.kill();
      await Promise.allSettled(this.#lanes);
      throw error;
    }
    if (this.#needs.runs.isCancelled) return null;
    const skipped = findSkipped(this.#course, this.#outcomes());
    return toSkipped(tests.cases).map((none, index) => (skipped[index] ? none : (this.#results[index] ?? none)));
  }

  #outcomes(): (TestResult['outcome'] | undefined)[] {
    return this.#order.tests.cases.map((_, index) => this.#results[index]?.outcome);
  }

  /** The first test that has not begun and is not skipped. */
  #next(): number | null {
    const skipped = findSkipped(this.#course, this.#outcomes());
    const index = skipped.findIndex((isSkipped, at) => !isSkipped && !this.#begun.has(at));
    return index < 0 ? null : index;
  }

  /** Runs tests on one slot until none is left, or until one that was lent has been used for long enough. */
  async #runLane(place: ScriptPlace, borrowed: BorrowedSlot | null): Promise<void> {
    const { clock, runs } = this.#needs;
    const fromMs = clock.monotonicMs();
    try {
      for (;;) {
        const index = runs.isCancelled || this.#failure !== null ? null : this.#next();
        const test = index === null ? undefined : this.#order.tests.cases[index];
        if (index === null || test === undefined) return;
        if (borrowed !== null && clock.monotonicMs() - fromMs > TURN_MS) return;
        this.#begun.add(index);
        if (borrowed === null) this.#widen();
        const result = await this.#runTest(test, place);
        if (result === null) return;
        this.#results[index] = result;
        this.#listener.tested(index, result);
      }
    } finally {
      borrowed?.giveBack();
      if (borrowed !== null) this.#restsUntilMs = clock.monotonicMs() + REST_MS;
    }
  }

  /** Has further tests run beside this one, as far as slots can be spared. */
  #widen(): void {
    const { slots, clock } = this.#needs;
    if (slots === undefined || clock.monotonicMs() < this.#restsUntilMs) return;
    while (this.#lanes.size + 1 < this.#order.tests.atOnce && this.#next() !== null) {
      const borrowed = slots.borrow();
      if (borrowed === null) return;
      const lane = this.#runLane(borrowed, borrowed)
        .catch((error: unknown) => {
          this.#failure ??= error;
        })
        .finally(() => this.#lanes.delete(lane));
      this.#lanes.add(lane);
    }
  }

  /** Null when the lease was cancelled. */
  async #runTest(test: Case, place: ScriptPlace): Promise<TestResult | null> {
    const { solution, tests } = this.#order;
    if (tests.check.kind === 'interactor') return await this.#talk(test, place);
    const stdin = toStdin(test.stdin, test.stdinEncoding, this.#order.files);
    const script: Script = { ...solution, args: test.arguments, stdin };
    const running = this.#needs.runs.begin(script, place);
    this.#listener.running();
    const end = await running.ended;
    if (end === null) return null;
    const report = toReport(end, solution.limits, place.slot, TEST_OUTPUT_BYTES_MAX);
    const { name } = test;
    if (report.verdict !== 'ok') return { name, outcome: report.verdict, report, check: null };
    if (this.#program === null) return { name, report, ...(await this.#compare(test, end.stdout)) };
    const checkScript = this.#program.toScript({ ...(await this.#read(test)), output: end.stdout }, null);
    const checked = await this.#needs.runs.begin(checkScript, place).ended;
    if (checked === null) return null;
    const ofCheck = toReport(checked, checkScript.limits, place.slot, TEST_OUTPUT_BYTES_MAX);
    return { name, report, ...toCheckVerdict(ofCheck) };
  }

  async #compare(test: Case, output: Buffer): Promise<Pick<TestResult, 'outcome' | 'check'>> {
    const { check } = this.#order.tests;
    if (test.expected === null || 'layers' in check) return { outcome: 'accepted', check: null };
    const { isEqual, message } = compare(check, output, (await this.#read(test)).answer);
    return {
      outcome: isEqual ? 'accepted' : 'wrong-answer',
      check: { message, score: isEqual ? 1 : 0, report: null },
    };
  }

  /** What a check finds of a test. */
  async #read(test: Case): Promise<{ readonly input: Buffer; readonly answer: Buffer }> {
    const bytesOf = async (text: string, encoding: Case['stdinEncoding']) =>
      encoding === 'file' ? await this.#order.files.bytesOf(text) : decodeInput(text, encoding);
    const isProgram = this.#program !== null;
    return {
      input: isProgram ? await bytesOf(test.stdin, test.stdinEncoding) : nothing,
      answer: test.expected === null ? nothing : await bytesOf(test.expected, test.expectedEncoding),
    };
  }

  async #talk(test: Case, place: ScriptPlace): Promise<TestResult | null> {
    const { solution } = this.#order;
    const program = this.#program;
    if (program === null) throw new Error('an interactor is a program');
    const { runs } = this.#needs;
    const ofProgram = program.toScript({ ...(await this.#read(test)), output: nothing }, null);
    const ended = await interact(
      (stdin, say) => {
        const running = runs.begin({ ...solution, args: test.arguments, stdin }, place, { stdout: say });
        this.#listener.running();
        return running;
      },
      (stdin, say) => runs.begin({ ...ofProgram, stdin }, place, { stdout: say }),
    );
    if (ended === null) return null;
    const report = toReport(ended.solution, solution.limits, place.slot, TEST_OUTPUT_BYTES_MAX);
    const interactor = toReport(ended.interactor, ofProgram.limits, place.slot, TEST_OUTPUT_BYTES_MAX);
    return { name: test.name, report, ...toInteractionVerdict(ended, { solution: report, interactor }) };
  }
}

function toPreparation({ acquired, compiled }: CheckProgram): NonNullable<JudgingEnd['check']> {
  return { layers: acquired.uses, compile: compiled };
}
