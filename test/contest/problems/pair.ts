/**
 * A problem with many answers: two positive numbers whose sum is n. A shell script checks.
 * Never n below 2, which has one answer; the checker knows of no other than by adding up.
 */
import { accepted, ends, mutate, numbersOf, type Problem, toTest, wrong } from '../problem.ts';

/** By testlib's convention: input, output, answer; 0 is right, 1 is wrong, 2 is badly said, 8 is too little. */
const checker = `set -f
read -r n < "$1"
set -- $(tr -cs '[:graph:]' ' ' < "$2")
[ $# -ge 2 ] || { echo "$# numbers instead of two" >&2; exit 8; }
[ $# -eq 2 ] || { echo "more than two words" >&2; exit 2; }
case $1$2 in *[!0-9-]*) echo "not a number" >&2; exit 2;; esac
[ "$1" -gt 0 ] && [ "$2" -gt 0 ] || { echo "$1 or $2 is not positive" >&2; exit 1; }
[ $(($1 + $2)) -eq "$n" ] || { echo "$1 and $2 are not $n" >&2; exit 1; }
echo "ok: $1 and $2" >&2
`;
const python = 'n = int(input())\nprint(1, n - 1)\n';
const sh = 'read -r n\necho $((n / 2))\necho $((n - n / 2))\n';

/** See the head of this file. */
export const pair: Problem = {
  name: 'pair',
  check: { kind: 'program', files: [{ path: 'check.sh', content: checker }], run: { script: 'sh check.sh "$@"' } },
  closeLimit: 'idle',
  stopAfterFailures: 1,
  tests: (random) =>
    [10, ...numbersOf(random, 7, 6, 5000).map((half) => 2 * half), 2, 3].map((n, index) =>
      toTest(String(index + 1), `${n}\n`, ''),
    ),
  submissions: [
    accepted('python', python),
    accepted('sh', sh, 'is right with halves, on two lines'),
    accepted('c', '#include <stdio.h>\nint main(void) { int n; scanf("%d", &n); printf("%d 1", n - 1); return 0; }\n'),
    wrong('python', 'takes nothing and all', mutate(python, ['1, n - 1', '0, n']), '1', 0),
    wrong('python', 'takes two and the rest', mutate(python, ['1, n - 1', '2, n - 2']), '9', 8),
    wrong('sh', 'takes the half twice', mutate(sh, ['n - n / 2', 'n / 2']), '10', 9),
    wrong('python', 'says three numbers', mutate(python, ['n - 1', 'n - 2, 1']), '1', 0),
    wrong('python', 'says it in words', "print('one', 'the rest')\n", '1', 0),
    ends('nonzero-exit', 'perl', 'dies below ten', 'my $n = <STDIN>; die if $n < 10; print 1, " ", $n - 1;\n', '9', 8),
  ],
};
