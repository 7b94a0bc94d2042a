#!/usr/bin/env node
/**
 * Composition root of envicutor: words, streams and signals in, an exit code out. Never decides anything.
 * Invariants: the first Ctrl-C ends in good order, the second at once; a reader of our output that goes away ends us quietly; what was written is out before the exit.
 */
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { systemClock } from '../../shared/clock.ts';
import { processVariables } from '../../shared/process-variables.ts';
import { toSignalStatus } from '../run/exit-status.ts';
import { type Surroundings, userPlace } from './surroundings.ts';

const NODE_MAJOR_MIN = 24;
const STATUS_OURS = 125;
const { stdin, stdout, stderr } = process;
if (Number.parseInt(process.versions.node, 10) < NODE_MAJOR_MIN) {
  stderr.write(`envicutor: this is Node ${process.versions.node}; run it with Node ${NODE_MAJOR_MIN} or newer\n`);
  process.exit(STATUS_OURS);
}
const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupt(signal));
for (const stream of [stdout, stderr]) stream.on('error', () => interruption.abort('SIGPIPE'));

const variables = processVariables();
const surroundings: Surroundings = {
  ...{ stdin, stdout, stderr, variables, clock: systemClock },
  ...{ signal: interruption.signal, folder: process.cwd(), home: homedir(), isRoot: process.getuid?.() === 0 },
};
// Before anything else is loaded: what was compiled once is not compiled again.
enableCompileCache(userPlace(surroundings, 'CACHE', 'compiled'));
const { runProgram } = await import('./program.ts');
const status = await runProgram(process.argv.slice(2), surroundings).catch(toFailureStatus);
// Our standard input may stay open for ever.
stdout.write('', () => stderr.write('', () => process.exit(status)));

function interrupt(signal: NodeJS.Signals): void {
  if (interruption.signal.aborted) process.exit(toSignalStatus(signal));
  interruption.abort(signal);
}

function toFailureStatus(error: unknown): number {
  const { aborted, reason } = interruption.signal;
  if (aborted && typeof reason === 'string') return toSignalStatus(reason);
  stderr.write(`envicutor: ${error instanceof Error ? error.message : String(error)}\n`);
  return STATUS_OURS;
}
