/**
 * A problem: the mean of some numbers, to one millionth.
 * Never an empty list; the first mean is not whole, the last is large.
 */
import { accepted, mutate, numbersOf, type Problem, toTest, wrong } from '../problem.ts';

const meanOf = (list: readonly number[]) => list.reduce((all, value) => all + value, 0) / list.length;
const c =
  '#include <stdio.h>\nint main(void) { double x, all = 0; int n; scanf("%d", &n); for (int i = 0; i < n; i++) { scanf("%lf", &x); all += x; } printf("%.8f\\n", all / n); return 0; }\n';
const python = 'n = int(input())\nprint(sum(map(int, input().split())) / n)\n';

/** See the head of this file. */
export const mean: Problem = {
  name: 'mean',
  check: { kind: 'float', tolerance: 1e-6 },
  closeLimit: 'wall',
  stopAfterFailures: 1,
  tests: (random) => {
    const lists = [
      [1, 2],
      [1, 2, 5],
      ...Array.from({ length: 7 }, (_, index) => numbersOf(random, 5 + index, 1, 1000)),
    ];
    lists.push([1, 1, 2, 3, 1, 1, 1], [1_000_000_007, 999_999_999, 123_456_789]);
    return lists.map((list, index) =>
      toTest(String(index + 1), `${list.length}\n${list.join(' ')}\n`, `${meanOf(list)}\n`),
    );
  },
  submissions: [
    accepted('c', c),
    accepted('python', python),
    accepted(
      'awk',
      'NR == 2 { for (i = 1; i <= NF; i++) all += $i; printf "%.9e\\n", all / NF }\n',
      'is right with an exponent',
    ),
    wrong('python', 'divides whole numbers', mutate(python, [' / n', ' // n']), '1', 0),
    wrong('c', 'rounds to hundredths', mutate(c, ['%.8f', '%.2f']), '2', 1),
    wrong(
      'python',
      'writes a comma',
      mutate(python, [
        'print(sum(map(int, input().split())) / n)',
        "print(str(sum(map(int, input().split())) / n).replace('.', ','))",
      ]),
      '1',
      0,
    ),
    wrong('python', 'is not a number', "print('nan')\n", '1', 0),
    wrong('c', 'says two numbers', mutate(c, ['return 0', 'puts("0"); return 0']), '1', 0),
  ],
};
