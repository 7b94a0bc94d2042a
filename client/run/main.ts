#!/usr/bin/env node
/**
 * Composition root of envicutor-run: the command line in, one run, an exit status out.
 * Never decides anything; signals and a closed standard output end the run, and the sandbox with it.
 */
import { STATUS_OURS, statusLines, toSignalStatus } from './exit-status.ts';
import { readInvocation, toHelp } from './flags.ts';
import { runCommand } from './run-command.ts';

const NODE_MAJOR_MIN = 24;
const { stdin, stdout, stderr } = process;
if (Number.parseInt(process.versions.node, 10) < NODE_MAJOR_MIN) {
  stderr.write(`envicutor-run: this is Node ${process.versions.node}; run it with Node ${NODE_MAJOR_MIN} or newer\n`);
  process.exit(STATUS_OURS);
}
const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupt(signal));
for (const stream of [stdout, stderr]) stream.on('error', () => interruption.abort('SIGPIPE'));

const asked = readInvocation(process.argv.slice(2));
if (asked === 'help') {
  stdout.write(toHelp(statusLines));
} else if ('problems' in asked) {
  for (const problem of asked.problems) stderr.write(`envicutor-run: ${problem}\n`);
  process.exitCode = STATUS_OURS;
} else {
  const { signal } = interruption;
  const status = await runCommand(asked.invocation, { stdin, stdout, stderr, signal }).catch(toFailureStatus);
  // Our standard input may stay open for ever; what was written is on its way before the exit.
  stdout.write('', () => stderr.write('', () => process.exit(status)));
}

/** The second signal ends us at once: the launcher cleans up without us. */
function interrupt(signal: NodeJS.Signals): void {
  if (interruption.signal.aborted) process.exit(toSignalStatus(signal));
  interruption.abort(signal);
}

function toFailureStatus(error: unknown): number {
  const { aborted, reason } = interruption.signal;
  if (aborted && typeof reason === 'string') return toSignalStatus(reason);
  stderr.write(`envicutor-run: ${error instanceof Error ? error.message : String(error)}\n`);
  return STATUS_OURS;
}
