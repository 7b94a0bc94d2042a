/**
 * A problem: the largest sum of neighbours, at least one of them. Three subtasks: few numbers, large numbers, many numbers.
 * Never an empty list. Invariant: whoever tries all pairs does not get the last subtask, whoever counts in 32 bits not the second.
 */
import { accepted, ends, mutate, numbersOf, type Problem, toTest, wrong } from '../problem.ts';

function largestOf(list: readonly number[]): number {
  let [best, here] = [Number.NEGATIVE_INFINITY, 0];
  for (const value of list) {
    here = Math.max(here, 0) + value;
    best = Math.max(best, here);
  }
  return best;
}

const python =
  'input()\nbest = here = None\nfor x in map(int, input().split()):\n    here = x if here is None or here < 0 else here + x\n    best = here if best is None or here > best else best\nprint(best)\n';
const c =
  '#include <stdio.h>\nint main(void) { int n; scanf("%d", &n); long best = -4000000000000L, here = 0; for (int i = 0; i < n; i++) { long x; scanf("%ld", &x); here = here > 0 ? here + x : x; if (here > best) best = here; } printf("%ld\\n", best); return 0; }\n';
const pairs =
  'n = int(input())\na = list(map(int, input().split()))\nbest = None\nfor i in range(n):\n    s = 0\n    for k in range(i, n):\n        s += a[k]\n        if best is None or s > best:\n            best = s\nprint(best)\n';

/** See the head of this file. */
export const segment: Problem = {
  name: 'segment',
  check: { kind: 'tokens' },
  groups: [
    { name: 'few', points: 20 },
    { name: 'great', points: 30, requires: ['few'] },
    { name: 'many', points: 50, requires: ['great', 'few'] },
  ],
  tests: (random) => {
    const one = (name: string, group: string, list: readonly number[]) =>
      toTest(name, `${list.length}\n${list.join(' ')}\n`, `${largestOf(list)}\n`, group);
    return [
      one('few-1', 'few', [1, -2, 3, 4, -1]),
      one('few-2', 'few', [2, 2, -1, 5]),
      one('few-3', 'few', numbersOf(random, 20, -50, 100)),
      one('few-negative', 'few', [-3, -1, -2]),
      one('few-single', 'few', [7]),
      one('great-1', 'great', [2_000_000_000, 2_000_000_000, -1]),
      one('great-2', 'great', numbersOf(random, 30, 1_000_000_000, 2_000_000_000)),
      one('great-3', 'great', [-2_000_000_000, 1_999_999_999, 1_999_999_999]),
      one('many-1', 'many', numbersOf(random, 20_000, -100, 100)),
      one('many-2', 'many', numbersOf(random, 20_000, -1000, 900)),
    ];
  },
  submissions: [
    accepted('python', python),
    accepted('c', c),
    accepted(
      'perl',
      'my $n = <STDIN>; my ($best, $here); for (split " ", <STDIN>) { $here = defined $here && $here > 0 ? $here + $_ : $_; $best = $here if !defined $best || $here > $best } print "$best\\n";\n',
    ),
    ends('cpu-time-exceeded', 'python', 'tries all pairs', pairs, 'many-1', 50),
    wrong(
      'c',
      'takes none when all are negative',
      mutate(c, ['best = -4000000000000L', 'best = 0']),
      'few-negative',
      0,
    ),
    wrong(
      'c',
      'counts in 32 bits',
      mutate(c, ['here > 0 ? here + x : x', 'here > 0 ? (int)(unsigned)(here + x) : x']),
      'great-1',
      20,
    ),
    wrong('python', 'adds up everything', 'input()\nprint(sum(map(int, input().split())))\n', 'few-1', 0),
    ends(
      'signaled',
      'c',
      'has room for a thousand',
      mutate(c, ['scanf("%d", &n);', 'scanf("%d", &n); if (n > 1000) __builtin_trap();']),
      'many-1',
      50,
    ),
  ],
};
