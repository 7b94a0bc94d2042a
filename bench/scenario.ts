/**
 * Owns what a scenario is: one question, asked of a running instance, answered by rows of milliseconds.
 */
import type { PrivateInstance } from '../ops/local/private-instance.ts';
import type { Summary } from './samples.ts';

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
}

/** A scenario's answer. */
export interface ScenarioResult {
  /** What the figures are in; milliseconds unless said. */
  readonly unit?: string;
  readonly rows: readonly { readonly label: string; readonly summary: Summary }[];
}

/** One question. */
export interface Scenario {
  readonly name: string;
  readonly question: string;
  run(target: Target, options: ScenarioOptions): Promise<ScenarioResult>;
}
