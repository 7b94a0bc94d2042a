/**
 * A problem: a triangle of stars, n lines, the right angle at the right. Every byte counts, blanks at the front as well as none at the end.
 * Never an empty triangle; the smallest has no blank at all.
 */
import { accepted, mutate, type Problem, toTest, wrong } from '../problem.ts';

const draw = (n: number) =>
  Array.from({ length: n }, (_, index) => `${' '.repeat(n - index - 1)}${'*'.repeat(index + 1)}\n`).join('');
const python = "n = int(input())\nfor i in range(1, n + 1):\n    print(' ' * (n - i) + '*' * i)\n";
const perl = 'my $n = <STDIN>; print " " x ($n - $_), "*" x $_, "\\n" for 1 .. $n;\n';
const c =
  "#include <stdio.h>\nint main(void) { int n; scanf(\"%d\", &n); for (int i = 1; i <= n; i++) { for (int k = 0; k < n; k++) putchar(k < n - i ? ' ' : '*'); putchar('\\n'); } return 0; }\n";

/** See the head of this file. */
export const triangle: Problem = {
  name: 'triangle',
  check: { kind: 'exact' },
  stopAfterFailures: 1,
  testsAtOnce: 2,
  tests: (random) =>
    [1, 2, 3, 5, 8, 13, 20 + random.below(10), 40, 60, 90].map((n, index) =>
      toTest(String(index + 1), `${n}\n`, draw(n)),
    ),
  submissions: [
    accepted('python', python),
    accepted('perl', perl),
    accepted('c', c),
    wrong('python', 'leans to the other side', mutate(python, ["' ' * (n - i) + '*' * i", "'*' * i"]), '2', 1),
    wrong('python', 'fills its lines with blanks', mutate(python, ["'*' * i)", "'*' * i, end=' \\n')"]), '1', 0),
    wrong('perl', 'is a line short', mutate(perl, ['1 .. $n', '1 .. $n - 1']), '1', 0),
    wrong('c', 'is at most 79 wide', mutate(c, ['k < n;', 'k < n && k < 79;']), '10', 9),
    wrong('c', 'has a line too many at its end', mutate(c, ['return 0;', "putchar('\\n'); return 0;"]), '1', 0),
  ],
};
