/**
 * Owns the menu of the benchmark suite: which command, what it exits with, and what Ctrl-C does to it.
 * Never measures. Invariant: the first Ctrl-C ends a command in order, with what it knows kept; the second ends it at once.
 */
import { compareCommand } from './compare.ts';
import { ExitCode } from './exit-code.ts';
import { planCommand } from './planner/plan.ts';
import { recordCommand } from './planner/record.ts';
import { RecordingError } from './recording/recording.ts';
import { reportCommand } from './report/report.ts';
import { listCommand, runCommand } from './run.ts';

type Command = (args: readonly string[], signal: AbortSignal) => number | Promise<number>;

const commands: Readonly<Record<string, Command>> = {
  run: runCommand,
  list: listCommand,
  compare: compareCommand,
  report: reportCommand,
  record: recordCommand,
  plan: planCommand,
};

const usage = `usage: bench COMMAND …
  run [SCENARIO …] [--quick] [--url URL] [--launcher PATH] [--output FILE] [--against BASELINE]
                             ask, print the answers, keep them as a recording
  list                       the scenarios
  compare BEFORE AFTER       what became better or worse between two recordings, and what is noise
  report RECORDING [--html FILE] [--markdown FILE]
                             draw a recording
  record --url URL …         an operator's mix, from a running coordinator's metrics
  plan MIX …                 how many machines a mix needs; docs/capacity-planning.md
exit codes: 0 fine; 1 something did not finish or became worse; 64 the command makes no sense; 69 no instance answers; 130 interrupted
`;

const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    if (interruption.signal.aborted) process.exit(ExitCode.interrupted);
    process.stderr.write('\ninterrupted: what is known is kept; once more to end at once\n');
    interruption.abort();
  });

/** Mistakes of whoever typed, as opposed to ours. */
function isMistake(error: unknown): error is Error {
  if (error instanceof RecordingError) return true;
  return error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
}

const [name = '', ...args] = process.argv.slice(2);
const command = commands[name];
if (command === undefined) {
  process.stderr.write(name === '' ? usage : `bench: no command '${name}'\n${usage}`);
  process.exit(ExitCode.usage);
}
try {
  process.exitCode = await command(args, interruption.signal);
} catch (error) {
  if (!isMistake(error)) throw error;
  process.stderr.write(`bench ${name}: ${error.message}\n`);
  process.exitCode = ExitCode.usage;
}
