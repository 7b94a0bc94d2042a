/**
 * A problem: all primes up to n, as words. Two subtasks: small n for 30 points, and, when that is solved, large ones for 70.
 * Never n below 2. Invariant: whoever divides by every smaller number gets 30 points, in time for the first and far out of it for the second.
 */
import { accepted, ends, mutate, type Problem, toTest, wrong } from '../problem.ts';

function primesUpTo(n: number): number[] {
  const found: number[] = [];
  for (let candidate = 2; candidate <= n; candidate += 1) {
    if (found.every((prime) => prime * prime > candidate || candidate % prime !== 0)) found.push(candidate);
  }
  return found;
}

const python =
  'n = int(input())\nis_prime = [True] * (n + 1)\nfor i in range(2, n + 1):\n    if is_prime[i]:\n        print(i)\n        for k in range(i * i, n + 1, i):\n            is_prime[k] = False\n';
const c =
  '#include <stdio.h>\nint main(void) { int n; scanf("%d", &n); for (int i = 2; i <= n; i++) { int is = 1; for (int k = 2; k * k <= i; k++) if (i % k == 0) { is = 0; break; } if (is) printf("%d ", i); } return 0; }\n';
const slow = 'n = int(input())\nfor i in range(2, n + 1):\n    if all(i % k for k in range(2, i)):\n        print(i)\n';
const small = [2, 3, 10, 13, 25, 40, 49];

/** See the head of this file. */
export const primes: Problem = {
  name: 'primes',
  check: { kind: 'tokens' },
  groups: [
    { name: 'small', points: 30 },
    { name: 'large', points: 70, requires: ['small'] },
  ],
  testsAtOnce: 2,
  tests: (random) => [
    ...small.map((n) => toTest(`small-${n}`, `${n}\n`, primesUpTo(n).join(' '), 'small')),
    ...[28_000 + random.below(2000), 29_989, 30_000].map((n, index) =>
      toTest(`large-${index + 1}`, `${n}\n`, primesUpTo(n).join(' '), 'large'),
    ),
  ],
  submissions: [
    accepted('python', python),
    accepted('c', c, 'is right on one line'),
    accepted(
      'awk',
      '{ for (i = 2; i <= $1; i++) if (!(i in no)) { print i; for (k = i * i; k <= $1; k += i) no[k] } }\n',
    ),
    wrong('python', 'thinks that 1 is prime', `print(1)\n${python}`, 'small-2', 0),
    wrong(
      'python',
      'ends before n',
      mutate(python, ['for i in range(2, n + 1)', 'for i in range(2, n)']),
      'small-2',
      0,
    ),
    wrong('c', 'thinks that squares are prime', mutate(c, ['k * k <= i', 'k * k < i']), 'small-10', 0),
    wrong('c', 'ends at 20000', mutate(c, ['i <= n', 'i <= n && i <= 20000']), 'large-1', 30),
    ends('cpu-time-exceeded', 'python', 'divides by every smaller number', slow, 'large-1', 30),
  ],
};
