/**
 * Owns a recording while it is made: each scenario's answer with what the machine did meanwhile, on disk after every one.
 * Never runs a scenario by itself. Invariant: an answer that did not come has the reason in its place, and a recording is incomplete until complete() is called.
 */
import { spawnSync } from 'node:child_process';
import { isDeepStrictEqual } from 'node:util';
import type { Scenario, ScenarioResult, ScenarioRow } from '../scenario.ts';
import { judgeNoise } from '../statistics/noise.ts';
import { lookAtProcessors, machineFacts, stealBetween } from './machine.ts';
import {
  type Plot,
  type RecordedAnswer,
  type RecordedRow,
  type Recording,
  recordingForm,
  writeRecording,
} from './recording.ts';

/** What a unit of rates ends with: more of them is better. */
const A_RATE = /\/s$/;

/** Writes a recording as answers come. */
export class RunRecorder {
  readonly #path: string;
  /** When nothing of ours ran yet: later the load is our own. */
  readonly #loadBefore = lookAtProcessors().load;
  #recording: Recording;

  constructor(path: string, command: string, isQuick: boolean) {
    this.#path = path;
    this.#recording = {
      ...recordingForm,
      command,
      commit: commit(),
      startedAt: new Date().toISOString(),
      isComplete: false,
      isQuick,
      machine: machineFacts(),
      scenarios: [],
    };
  }

  get recording(): Recording {
    return this.#recording;
  }

  /** Asks by `run` and records what came: an answer, or why there is none. */
  async answer({ name, question }: Scenario, run: () => Promise<ScenarioResult>): Promise<RecordedAnswer> {
    const [before, from] = [lookAtProcessors(), performance.now()];
    const { result, rows, problem } = await run()
      .then((result) => ({ result, rows: toRows(result), problem: null }))
      .catch((error: unknown) => ({
        ...{ result: noResult, rows: [] },
        problem: error instanceof Error ? error.message : String(error),
      }));
    const stealShare = stealBetween(before, lookAtProcessors());
    const answer: RecordedAnswer = {
      ...{ name, question, problem, rows, stealShare },
      answer: problem === null ? result.answer : null,
      better: result.better ?? (A_RATE.test(result.unit ?? '') ? 'higher' : 'lower'),
      plots: [...(result.plots ?? [])],
      goals: [...(result.goals ?? [])],
      notes: [...(result.notes ?? [])],
      rivals: (result.rivals ?? []).map(({ name, version, source, settings }) => ({
        ...{ name, version, source, settings: [...settings] },
      })),
      absent: [...(result.absent ?? [])],
      tookMs: performance.now() - from,
      loadBefore: this.#loadBefore,
      noise: [
        ...judgeNoise({
          ...{ stealShare, loadBefore: this.#loadBefore, cores: this.#recording.machine.cores },
          series: drawn(rows, result),
        }).reasons,
      ],
    };
    this.#put({ ...this.#recording, scenarios: [...this.#recording.scenarios, answer] });
    return answer;
  }

  complete(): void {
    this.#put({ ...this.#recording, isComplete: true });
  }

  #put(recording: Recording): void {
    this.#recording = recording;
    writeRecording(this.#path, recording);
  }
}

const noResult: ScenarioResult = { answer: '', rows: [] };

function toRows({ rows, unit = 'ms' }: ScenarioResult): RecordedRow[] {
  return rows.map((row) => ({
    label: row.label,
    unit: row.unit ?? unit,
    samples: [...row.summary.samples],
    against: labelOf(rows, row),
  }));
}

/** The rows that an answer is drawn from: what is beside them (a share of a processor, a part of a time) may scatter. */
function drawn(rows: readonly RecordedRow[], { plots = [] }: ScenarioResult): readonly RecordedRow[] {
  const labels = new Set(plots.flatMap(toLabels));
  return labels.size === 0 ? rows : rows.filter(({ label }) => labels.has(label));
}

function toLabels(plot: Plot): string[] {
  if (plot.kind === 'split') return [];
  return plot.kind === 'curve' ? plot.lines.flatMap(({ points }) => points.map(({ row }) => row)) : [...plot.rows];
}

/** A rival that is no row of its own can't be shown beside it. */
function labelOf(rows: readonly ScenarioRow[], { label, against }: ScenarioRow): string | null {
  if (against === undefined) return null;
  const rival = rows.find(({ summary }) => summary === against || isDeepStrictEqual(summary.samples, against.samples));
  if (rival === undefined) throw new Error(`'${label}' is set against a series that is no row`);
  return rival.label;
}

function commit(): string {
  const git = (...args: string[]) =>
    spawnSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).stdout?.trim() ?? '';
  const head = git('rev-parse', '--short', 'HEAD');
  if (head === '') return 'unknown';
  return git('status', '--porcelain', '--untracked-files=no') === '' ? head : `${head}+`;
}
