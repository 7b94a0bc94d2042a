/**
 * Owns the data of each event of a stream, by its name. Never the events' way here.
 * Invariant: a name that a later server adds is passed on as it is; whoever reads passes over what it does not know.
 */
import type { BuildState } from '../../shared/lifecycle/build.ts';
import type { Stage } from '../../shared/lifecycle/execution.ts';
import type { Environment } from '../../shared/model/environment.ts';
import type { Execution } from '../../shared/model/execution.ts';
import type { TestResult } from '../../shared/model/judging.ts';

interface BuildEvents {
  readonly 'build.phase': { readonly layer: string; readonly phase: string };
  readonly 'build.log': { readonly layer: string; readonly stream: string; readonly text: string };
  readonly 'build.progress': {
    readonly layer: string;
    readonly phase: string;
    readonly bytes: number;
    /** Of the whole, where that is known. */
    readonly fraction: number | null;
  };
  readonly 'build.fetched': { readonly layer: string; readonly requests: number; readonly bytes: number };
  /** So many events before the next one are not remembered any more. */
  readonly forgotten: { readonly events: number };
}

/** What a program writes, while it writes it: `toOutputBytes` has its bytes. A piece may end within a character. */
export interface OutputPiece {
  readonly script: 'compile' | 'run';
  readonly data: string;
  readonly encoding: 'base64';
}

/** Of an execution. */
export interface ExecutionEvents extends BuildEvents {
  readonly stage: { readonly stage: Stage; readonly cause: string | null };
  readonly 'fetch.progress': {
    readonly phase: 'fetching';
    readonly bytes: number;
    readonly bytesTotal: number;
    readonly fraction: number | null;
  };
  readonly stdout: OutputPiece;
  readonly stderr: OutputPiece;
  readonly test: TestResult & { readonly index: number };
  readonly finished: Execution;
}

/** Of an environment. */
export interface EnvironmentEvents extends BuildEvents {
  readonly state: { readonly state: BuildState; readonly cause: string | null };
  readonly finished: Environment;
}
