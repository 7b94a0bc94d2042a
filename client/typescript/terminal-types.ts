/**
 * Owns what is said in text over a terminal's connection. Never bytes: those are the program's.
 */
import type { Stage } from '../../shared/lifecycle/execution.ts';
import type { Execution } from '../../shared/model/execution.ts';

/** Signals that foreground processes can be sent. */
export type TerminalSignal = 'HUP' | 'INT' | 'QUIT' | 'KILL' | 'TERM' | 'CONT' | 'TSTP';

/** How an interactive execution ended. */
export interface TerminalExit extends Pick<Execution, 'stage' | 'verdict' | 'endedIn' | 'failure'> {
  readonly type: 'exit';
  readonly exitCode: number | null;
  readonly signal: string | null;
}

/** What a client is told. */
export type TerminalAnswer =
  | {
      readonly type: 'attached';
      readonly executionId: string;
      readonly stage: Stage;
      readonly isStarted: boolean;
      readonly position: number;
      /** What was asked for before `position` and is not remembered any more. */
      readonly missedBytes: number;
    }
  | { readonly type: 'stage'; readonly stage: Stage }
  | { readonly type: 'started' }
  | TerminalExit
  | { readonly type: 'error'; readonly code: string; readonly detail: string };
