/**
 * A problem with many answers: 1 to n in an order in which no two neighbours follow each other in counting. A Python program with an environment of
 * its own checks. Never n below 4, which has no answer. Invariant: odd ones before even ones is right for all tests but the last.
 */
import { environments } from '../languages.ts';
import { accepted, ends, mutate, type Problem, toTest, wrong } from '../problem.ts';

/** By testlib's convention. */
const checker = `import sys
def say(code, what):
    print(what, file=sys.stderr)
    sys.exit(code)
n = int(open(sys.argv[1]).read())
try:
    numbers = [int(word) for word in open(sys.argv[2]).read().split()]
except ValueError:
    say(2, 'not all are numbers')
if len(numbers) != n:
    say(8 if len(numbers) < n else 4, f'{len(numbers)} numbers instead of {n}')
if sorted(numbers) != list(range(1, n + 1)):
    say(1, 'something is missing')
for a, b in zip(numbers, numbers[1:]):
    if abs(a - b) == 1:
        say(1, f'{a} and {b} are neighbours')
say(0, f'ok {n} numbers')
`;
const python = 'n = int(input())\nprint(*range(2, n + 1, 2), *range(1, n + 1, 2))\n';
const awk = '{ for (i = 2; i <= $1; i += 2) print i; for (i = 1; i <= $1; i += 2) print i }\n';

/** See the head of this file. */
export const apart: Problem = {
  name: 'apart',
  check: {
    kind: 'program',
    environment: environments.python,
    files: [{ path: 'check.py', content: checker }],
    run: { script: 'python3 check.py "$@"' },
  },
  stopAfterFailures: 1,
  testsAtOnce: 2,
  tests: (random) =>
    [5, 6, 7, 10 + random.below(90), 9, 100, 1000, 3000, 4, 11].map((n, index) =>
      toTest(String(index + 1), `${n}\n`, ''),
    ),
  submissions: [
    accepted('python', python),
    accepted('awk', awk),
    accepted('perl', 'my $n = <STDIN>; print join("\\n", (grep { $_ % 2 == 0 } 1 .. $n), grep { $_ % 2 } 1 .. $n);\n'),
    wrong(
      'python',
      'has the odd ones first',
      'n = int(input())\nprint(*range(1, n + 1, 2), *range(2, n + 1, 2))\n',
      '9',
      8,
    ),
    wrong('python', 'counts', 'print(*range(1, int(input()) + 1))\n', '1', 0),
    wrong('awk', 'leaves out n when it is odd', mutate(awk, ['i = 1; i <= $1', 'i = 1; i < $1']), '1', 0),
    wrong('awk', 'leaves out n when it is even', mutate(awk, ['i = 2; i <= $1', 'i = 2; i < $1']), '2', 1),
    ends(
      'output-exceeded',
      'python',
      'says it again and again',
      mutate(python, ['print', 'while True:\n    print']),
      '1',
      0,
    ),
  ],
};
