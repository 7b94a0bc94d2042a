/**
 * A problem: the n-th Fibonacci number, modulo m. Samples for nothing, n up to 90 for 40 points, n up to 10^15 and m up to 10^18 for 60 more.
 * Never m below 2. Invariant: a loop over n has 40 points, whoever calls himself twice for each has none.
 */
import { accepted, ends, mutate, type Problem, toTest, wrong } from '../problem.ts';

/** The n-th and the one after it. */
function pairAt(n: bigint, m: bigint): readonly [bigint, bigint] {
  if (n === 0n) return [0n, 1n % m];
  const [a, b] = pairAt(n / 2n, m);
  const [even, odd] = [(a * (2n * b - a + m)) % m, (a * a + b * b) % m];
  return n % 2n === 0n ? [even, odd] : [odd, (even + odd) % m];
}

const python =
  'n, m = map(int, input().split())\ndef pair(n):\n    if n == 0:\n        return 0, 1\n    a, b = pair(n // 2)\n    c, d = a * (2 * b - a) % m, (a * a + b * b) % m\n    return (c, d) if n % 2 == 0 else (d, (c + d) % m)\nprint(pair(n)[0] % m)\n';
const c =
  '#include <stdio.h>\ntypedef unsigned __int128 wide;\nint main(void) { unsigned long long n, m; scanf("%llu %llu", &n, &m); wide a = 0, b = 1 % m; for (int bit = 63; bit >= 0; bit--) { wide e = a * ((2 * b + m - a) % m) % m, o = (a * a % m + b * b % m) % m; a = e; b = o; if (n >> bit & 1) { wide t = (a + b) % m; a = b; b = t; } } printf("%llu\\n", (unsigned long long)a); return 0; }\n';
const loop =
  'n, m = map(int, input().split())\na, b = 0, 1\nfor _ in range(n):\n    a, b = b, (a + b) % m\nprint(a % m)\n';
const twice =
  'n, m = map(int, input().split())\ndef f(n):\n    return n if n < 2 else f(n - 1) + f(n - 2)\nprint(f(n) % m)\n';

/** See the head of this file. */
export const fibonacci: Problem = {
  name: 'fibonacci',
  check: { kind: 'tokens' },
  groups: [
    { name: 'samples', points: 0 },
    { name: 'small', points: 40, requires: ['samples'] },
    { name: 'large', points: 60, requires: ['small'] },
  ],
  tests: (random) => {
    const toOne = (name: string, group: string, n: bigint, m: bigint) =>
      toTest(name, `${n} ${m}\n`, `${pairAt(n, m)[0]}\n`, group);
    const top = 10n ** 15n;
    return [
      toOne('sample-1', 'samples', 10n, 100n),
      toOne('sample-2', 'samples', 12n, 7n),
      ...[0n, 1n, 20n, 90n, 2n, 3n].map((n, index) => toOne(`small-${index + 1}`, 'small', n, 1_000_000_007n)),
      ...[0, 1].map((index) =>
        toOne(`large-${index + 1}`, 'large', top - BigInt(random.below(1_000_000)), 10n ** 18n - BigInt(index * 11)),
      ),
    ];
  },
  submissions: [
    accepted('python', python),
    accepted('c', c),
    ends('cpu-time-exceeded', 'python', 'goes all the way', loop, 'large-1', 40),
    ends('cpu-time-exceeded', 'python', 'goes every way twice', twice, 'small-4', 0),
    wrong('c', 'multiplies in 64 bits', mutate(c, ['unsigned __int128', 'unsigned long long']), 'large-1', 40),
    wrong('python', 'counts from one', mutate(python, ['print(pair(n)', 'print(pair(n + 1)']), 'sample-1', 0),
    wrong(
      'python',
      'forgets the modulus',
      mutate(loop, ['(a + b) % m', 'a + b'], ['print(a % m)', 'print(a)'], ['range(n)', 'range(min(n, 100))']),
      'sample-2',
      0,
    ),
    ends(
      'nonzero-exit',
      'perl',
      'dies at large numbers',
      'my ($n, $m) = split " ", <STDIN>; die if $n > 1000; my ($a, $b) = (0, 1); ($a, $b) = ($b, ($a + $b) % $m) for 1 .. $n; print $a % $m;\n',
      'large-1',
      40,
    ),
  ],
};
