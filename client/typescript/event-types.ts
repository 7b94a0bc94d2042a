/**
 * Owns the types of events' data by their names, as the server's schemas declare them. Never the events' way here.
 */
import type { Static } from '@sinclair/typebox';
import type { environmentEvents, executionEvents } from '../../shared/model/events.ts';

/** Of an execution. */
export type ExecutionEvents = {
  readonly [Name in keyof typeof executionEvents]: Static<(typeof executionEvents)[Name]>;
};

/** Of an environment. */
export type EnvironmentEvents = {
  readonly [Name in keyof typeof environmentEvents]: Static<(typeof environmentEvents)[Name]>;
};

/** What a program writes, while it writes it: `toOutputBytes` has its bytes. A piece may end within a character. */
export type OutputPiece = ExecutionEvents['stdout'];
