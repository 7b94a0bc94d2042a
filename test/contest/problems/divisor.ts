/**
 * A problem: the greatest common divisor of two numbers, as a word.
 * Never zero. Invariant: whoever subtracts does not come to an end at the last test; the larger number is first but in the test before.
 */
import { accepted, ends, mutate, numbersOf, type Problem, toTest, wrong } from '../problem.ts';

const divisorOf = (a: number, b: number): number => (b === 0 ? a : divisorOf(b, a % b));
const c =
  '#include <stdio.h>\nint main(void) { long a, b; scanf("%ld %ld", &a, &b); while (b) { long r = a % b; a = b; b = r; } printf("%ld\\n", a); return 0; }\n';
const subtracting =
  'a, b = map(int, input().split())\nwhile a != b:\n    if a > b:\n        a -= b\n    else:\n        b -= a\nprint(a)\n';

/** See the head of this file. */
export const divisor: Problem = {
  name: 'divisor',
  check: { kind: 'tokens' },
  stopAfterFailures: 1,
  tests: (random) => {
    const pairs = Array.from({ length: 8 }, (_, index): [number, number] => {
      const [factor = 1] = numbersOf(random, 1, 2, 50);
      return [factor * (12 + index * 6), factor * (index % 2 === 0 ? 8 : 9)];
    });
    pairs.push([9, 12], [2_000_000_000, 1]);
    return pairs.map(([a, b], index) => toTest(String(index + 1), `${a} ${b}\n`, `${divisorOf(a, b)}\n`));
  },
  submissions: [
    accepted('c', c),
    accepted(
      'python',
      "import math\nprint('', *[math.gcd(*map(int, input().split()))], '', sep='\\n ')\n",
      'is right below a blank line',
    ),
    accepted('sh', 'read -r a b\nwhile [ "$b" -gt 0 ]; do r=$((a % b)); a=$b; b=$r; done\necho $a\n'),
    accepted('perl', 'my ($a, $b) = split " ", <STDIN>; ($a, $b) = ($b, $a % $b) while $b; print "$a\\n";\n'),
    wrong('python', 'says the smaller', 'print(min(map(int, input().split())))\n', '1', 0),
    wrong('c', 'says what is left over', mutate(c, ['"%ld\\n", a', '"%ld\\n", b']), '1', 0),
    ends(
      'signaled',
      'c',
      'gives up when the smaller is first',
      mutate(c, ['while (b)', 'if (a < b) __builtin_trap(); while (b)']),
      '9',
      8,
    ),
    ends('cpu-time-exceeded', 'python', 'subtracts', subtracting, '10', 9),
    ends('nonzero-exit', 'c', 'is right, and returns 1', mutate(c, ['return 0', 'return 1']), '1', 0),
  ],
};
