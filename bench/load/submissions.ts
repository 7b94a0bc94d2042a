/**
 * Owns short programs whose verdicts are known beforehand, as people hand them in: right and wrong ones with tests, such that do not compile, crash, never
 * end, take too much or say too much. All of them run in the base environment, without anything to install.
 * Never runs one. Invariant: every verdict is certain, on a busy machine too: what ends by a limit would never end otherwise.
 */
import type { Execution, ExecutionRequest } from '../../shared/model/execution.ts';
import type { Generator } from '../statistics/generator.ts';

const MEBIBYTE = 1024 ** 2;
const TESTS = 4;

/** One kind of submission. */
export interface Submission {
  readonly what: string;
  /** How often it is handed in, beside the others. */
  readonly weight: number;
  readonly verdict: NonNullable<Execution['verdict']>;
  readonly endedIn: NonNullable<Execution['endedIn']>;
  readonly request: ExecutionRequest;
}

const limits = { memoryBytes: 128 * MEBIBYTE, processes: 16 };
/** The limit of time is close, and reached by nothing that is to end well: these need some milliseconds. */
const closeLimits = { ...limits, cpuTimeMs: 200 };

/** Sums of the numbers of a line. */
const tests = Array.from({ length: TESTS }, (_, index) => ({
  stdin: `${Array.from({ length: 50 }, (_, at) => at * (index + 1)).join(' ')}\n`,
  expected: `${1225 * (index + 1)}\n`,
}));

const perl = (source: string): Pick<ExecutionRequest, 'files' | 'compile'> => ({
  files: [{ path: 'main.pl', content: source }],
  compile: { script: 'perl -c main.pl', limits },
});
const awk = (source: string): Pick<ExecutionRequest, 'files' | 'compile'> => ({
  files: [{ path: 'main.awk', content: source }],
  compile: { script: 'test -s main.awk && chmod a-w main.awk', limits },
});

const judged = (
  program: Pick<ExecutionRequest, 'files' | 'compile'>,
  script: string,
  runLimits = limits,
): ExecutionRequest => ({
  ...{ environment: {}, ...program, run: { script, limits: runLimits } },
  ...{ tests, stopAfterFailures: 1 },
});

const inPerl = (source: string, runLimits = limits) => judged(perl(source), 'exec perl main.pl', runLimits);
const inAwk = (source: string) => judged(awk(source), 'exec awk -f main.awk');
const alone = (script: string, runLimits = limits): ExecutionRequest => ({
  environment: {},
  run: { script, limits: runLimits },
});

/** What is handed in at a contest: a compile step and tests. */
export const contestSubmissions: readonly Submission[] = [
  {
    ...{ what: 'right, in Perl', weight: 30, verdict: 'accepted', endedIn: 'tests' },
    request: inPerl('my $sum = 0;\n$sum += $_ for split " ", <STDIN>;\nprint "$sum\\n";\n'),
  },
  {
    ...{ what: 'right, in awk', weight: 20, verdict: 'accepted', endedIn: 'tests' },
    request: inAwk('{ for (i = 1; i <= NF; i++) sum += $i }\nEND { print sum }\n'),
  },
  {
    ...{ what: 'wrong, in Perl', weight: 20, verdict: 'wrong-answer', endedIn: 'tests' },
    request: inPerl('my @all = split " ", <STDIN>;\nprint scalar(@all), "\\n";\n'),
  },
  {
    ...{ what: 'wrong, in awk', weight: 12, verdict: 'wrong-answer', endedIn: 'tests' },
    request: inAwk('{ print $NF }\n'),
  },
  {
    ...{ what: 'does not compile', weight: 8, verdict: 'nonzero-exit', endedIn: 'compile' },
    request: inPerl('my $sum = ;\n'),
  },
  {
    ...{ what: 'crashes', weight: 6, verdict: 'nonzero-exit', endedIn: 'tests' },
    request: inPerl('die "no idea\\n";\n'),
  },
  {
    ...{ what: 'never ends', weight: 4, verdict: 'cpu-time-exceeded', endedIn: 'tests' },
    request: inPerl('1 while 1;\n', closeLimits),
  },
];

/** Besides, what a judge sees from people who try things. */
export const mixedSubmissions: readonly Submission[] = [
  ...contestSubmissions,
  { what: 'ends well', weight: 30, verdict: 'ok', endedIn: 'run', request: alone('echo hello') },
  { what: 'exits with 3', weight: 8, verdict: 'nonzero-exit', endedIn: 'run', request: alone('exit 3') },
  { what: 'is killed', weight: 4, verdict: 'signaled', endedIn: 'run', request: alone('kill -SEGV $$') },
  {
    ...{ what: 'sleeps too long', weight: 3, verdict: 'wall-time-exceeded', endedIn: 'run' },
    request: alone('exec sleep 100', { ...limits, wallTimeMs: 300 } as typeof limits),
  },
  {
    ...{ what: 'takes all memory', weight: 3, verdict: 'memory-exceeded', endedIn: 'run' },
    request: alone(`exec perl -e 'my @all; push @all, "x" x (1 << 20) . @all while 1'`, {
      ...limits,
      memoryBytes: 48 * MEBIBYTE,
    }),
  },
  {
    ...{ what: 'says more than anybody reads', weight: 3, verdict: 'output-exceeded', endedIn: 'run' },
    request: alone('exec yes more and more and more'),
  },
  {
    ...{ what: 'leaves many files', weight: 3, verdict: 'ok', endedIn: 'run' },
    request: alone(`exec perl -e 'for (1 .. 500) { open(my $file, ">", "f$_"); print $file $_ }'`),
  },
];

/** One of them by chance, as often as their weights say. */
export function choose(numbers: Generator, from: readonly Submission[]): Submission {
  let left = numbers.share() * from.reduce((sum, { weight }) => sum + weight, 0);
  const found = from.find(({ weight }) => {
    left -= weight;
    return left < 0;
  });
  const chosen = found ?? from.at(-1);
  if (chosen === undefined) throw new Error('there is nothing to choose from');
  return chosen;
}

/** Did it come to what was known beforehand? */
export function isAsKnown({ verdict, endedIn }: Submission, execution: Execution): boolean {
  return execution.verdict === verdict && execution.endedIn === endedIn;
}
