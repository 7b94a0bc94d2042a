/**
 * A problem: the sum of two numbers. Lines are compared without blanks at their ends; a blank at the front is one too many.
 * Never above what 64 bits hold; the last two sums do not fit into 32.
 */
import { accepted, ends, mutate, numbersOf, type Problem, toTest, wrong } from '../problem.ts';

const c =
  '#include <stdio.h>\nint main(void) { long long a, b; scanf("%lld %lld", &a, &b); printf("%lld\\n", a + b); return 0; }\n';
const sh = 'read -r a b\necho $((a + b))\n';
const python = 'a, b = map(int, input().split())\nprint(a + b)\n';

/** See the head of this file. */
export const sum: Problem = {
  name: 'sum',
  check: { kind: 'lines' },
  stopAfterFailures: 1,
  tests: (random) => {
    const pairs: (readonly [number, number])[] = [[1, 2]];
    for (let index = 0; index < 7; index += 1) {
      const [a = 0, b = 0] = numbersOf(random, 2, 1, 1_000_000);
      pairs.push([a, b]);
    }
    pairs.push([-5, 3], [2_000_000_000, 2_000_000_000], [-9_000_000_000, 1]);
    return pairs.map(([a, b], index) => toTest(String(index + 1), `${a} ${b}\n`, `${a + b}\n`));
  },
  submissions: [
    accepted('c', c),
    accepted('sh', sh),
    accepted('python', python),
    accepted(
      'sh',
      mutate(sh, ['echo $((a + b))', 'printf "%s  \\n\\n" $((a + b))']),
      'has blanks and lines at its end',
    ),
    accepted('perl', 'my ($a, $b) = split " ", <STDIN>; print $a + $b;\n', 'ends its line nowhere'),
    accepted('sh', `[ ! -e left ] || exit 9\n${sh}cp /dev/null left\n`, 'leaves a file that no test after it sees'),
    wrong('sh', 'has a blank at the front', mutate(sh, ['echo $((a + b))', 'echo " $((a + b))"']), '1', 0),
    wrong(
      'c',
      'keeps the sum in 32 bits',
      mutate(c, ['printf("%lld\\n", a + b)', 'printf("%d\\n", (int)(a + b))']),
      '10',
      9,
    ),
    wrong('lua', 'adds up amounts', 'local a, b = io.read("n", "n")\nprint(math.abs(a) + math.abs(b))\n', '9', 8),
    ends(
      'nonzero-exit',
      'python',
      'expects no sign',
      "s = input()\nassert '-' not in s\na, b = map(int, s.split())\nprint(a + b)\n",
      '9',
      8,
    ),
  ],
};
