/**
 * A problem: numbers in ascending order, one on a line.
 * Never more than 20,000 of them, which who compares each with each does not finish; that is the last test.
 */
import { accepted, ends, mutate, numbersOf, type Problem, toTest, wrong } from '../problem.ts';

const c =
  '#include <stdio.h>\n#include <stdlib.h>\nstatic int all[20000];\nint by(const void *a, const void *b) { int x = *(int *)a, y = *(int *)b; return (x > y) - (x < y); }\nint main(void) { int n; scanf("%d", &n); for (int i = 0; i < n; i++) scanf("%d", all + i); qsort(all, n, sizeof *all, by); for (int i = 0; i < n; i++) printf("%d\\n", all[i]); return 0; }\n';
const python = "n = int(input())\na = sorted(map(int, input().split()))\nprint('\\n'.join(map(str, a)))\n";
const bubbles =
  'for i in range(n):\n    for k in range(n - 1 - i):\n        if a[k] > a[k + 1]:\n            a[k], a[k + 1] = a[k + 1], a[k]\n';

/** See the head of this file. */
export const sort: Problem = {
  name: 'sort',
  check: { kind: 'lines' },
  stopAfterFailures: 1,
  testsAtOnce: 2,
  tests: (random) => {
    const lists = [
      [31, 25, 12],
      ...Array.from({ length: 6 }, (_, index) => distinct(numbersOf(random, 10 + index, 10, 99))),
    ];
    lists.push([7, 3, 7, 3], [100, 20, 3], [5, -5, 0], numbersOf(random, 20_000, -1_000_000, 1_000_000));
    return lists.map((list, index) => {
      const sorted = [...list].sort((a, b) => a - b);
      return toTest(String(index + 1), `${list.length}\n${list.join(' ')}\n`, `${sorted.join('\n')}\n`);
    });
  },
  submissions: [
    accepted('c', c),
    accepted('python', python),
    accepted('sh', "read -r n\ntr ' ' '\\n' | sort -n\n"),
    accepted('perl', '<STDIN>; print "$_\\n" for sort { $a <=> $b } split " ", <STDIN>;\n'),
    wrong('perl', 'sorts as text', '<STDIN>; my @a = split " ", <STDIN>; print "$_\\n" for sort @a;\n', '9', 8),
    wrong(
      'python',
      'keeps each number once',
      mutate(python, ['sorted(map(int, input().split()))', 'sorted(set(map(int, input().split())))']),
      '8',
      7,
    ),
    wrong('python', 'says it on one line', mutate(python, ["'\\n'.join", "' '.join"]), '1', 0),
    wrong('c', 'sorts downwards', mutate(c, ['(x > y) - (x < y)', '(x < y) - (x > y)']), '1', 0),
    ends(
      'cpu-time-exceeded',
      'python',
      'lets numbers rise',
      mutate(python, ['sorted(map(int, input().split()))\n', `list(map(int, input().split()))\n${bubbles}`]),
      '11',
      10,
    ),
    ends(
      'signaled',
      'c',
      'has room for a hundred',
      mutate(c, ['scanf("%d", &n);', 'scanf("%d", &n); if (n > 100) abort();']),
      '11',
      10,
    ),
  ],
};

const distinct = (list: readonly number[]): number[] => [...new Set(list)];
