/**
 * Owns what a scenario is: one question, what must run for it to be asked, and an answer of a sentence, rows of samples, drawings and goals.
 * Never runs anything itself; run.ts starts what a scenario needs, and nothing else.
 * Invariant: a row that speaks of a rival was taken in the same run, between our own rounds; every row keeps all of its samples.
 */
import type { PrivateInstance } from '../ops/local/private-instance.ts';
import type { AbsentRival, Goal, Plot, PresentRival } from './recording/recording.ts';
import type { Summary } from './statistics/quantiles.ts';
import type { BenchLauncher } from './workloads/bench-launcher.ts';

/** The running instance that a scenario asks. */
export interface Target {
  readonly url: string;
  /** Null when somebody else's instance is asked: what needs its processes is left out then. */
  readonly instance: PrivateInstance | null;
}

/** How long to look. */
export interface ScenarioOptions {
  readonly warmUp: number;
  readonly rounds: number;
  /** For the shape of the answer, not for figures: the whole suite takes minutes. */
  readonly isQuick: boolean;
}

/** One series. */
export interface ScenarioRow {
  readonly label: string;
  readonly summary: Summary;
  /** The series that this one is set against: p50 is shown as a multiple of its p50. */
  readonly against?: Summary;
  /** Where this row is in something else than the answer's unit. */
  readonly unit?: string;
}

/** A scenario's answer. */
export interface ScenarioResult {
  /** One sentence with the figures that decide. */
  readonly answer: string;
  /** What the figures are in; milliseconds unless said. */
  readonly unit?: string;
  /** Whether more is better; less is, unless said. */
  readonly better?: 'lower' | 'higher';
  readonly rows: readonly ScenarioRow[];
  readonly plots?: readonly Plot[];
  readonly goals?: readonly Goal[];
  /** What a reader must know to believe the figures, such as how a series was taken. */
  readonly notes?: readonly string[];
  /** Programs of others that were asked in the same run. */
  readonly rivals?: readonly (Omit<PresentRival, 'settings'> & { readonly settings: readonly string[] })[];
  readonly absent?: readonly AbsentRival[];
}

/** What a scenario that looks at processes says of an instance that it did not start. */
export const onlyOurOwn: ScenarioResult = {
  answer: 'Left out: only processes of our own can be looked at.',
  rows: [],
};

interface Question {
  readonly name: string;
  readonly question: string;
  /** It takes so long that it is asked only by name, or quickly. */
  readonly isLong?: true;
}

/** Asks a whole instance over HTTP. */
export interface InstanceScenario extends Question {
  readonly needs: 'instance';
  run(target: Target, options: ScenarioOptions): Promise<ScenarioResult>;
}

/** Asks one launcher over its socket. */
export interface LauncherScenario extends Question {
  readonly needs: 'launcher';
  run(launcher: BenchLauncher, options: ScenarioOptions): Promise<ScenarioResult>;
}

/** Asks parts of the product in this process, and starts nothing. */
export interface FreeScenario extends Question {
  readonly needs: 'nothing';
  run(options: ScenarioOptions): Promise<ScenarioResult>;
}

/** One question. */
export type Scenario = InstanceScenario | LauncherScenario | FreeScenario;
