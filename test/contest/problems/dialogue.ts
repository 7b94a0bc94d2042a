/**
 * An interactive problem: sums are asked for one by one, the next when the last was answered. A Perl program asks.
 * Never says how the answer was. Invariant: the fifth test has a sum that 32 bits do not hold, the sixth a negative one.
 */
import { accepted, ends, mutate, numbersOf, type Problem, toTest, wrong } from '../problem.ts';

/** By testlib's convention. */
const interactor = `use strict;
$| = 1;
open(my $input, '<', $ARGV[0]) or exit 3;
my @pairs = <$input>;
print scalar(@pairs), "\\n";
for (@pairs) {
  print;
  my ($first, $second) = split;
  my $said = <STDIN>;
  if (!defined $said) { print STDERR "no answer to $first and $second\\n"; exit 8 }
  if ($said !~ /^\\s*-?\\d+\\s*$/) { print STDERR "no number\\n"; exit 2 }
  if ($said != $first + $second) { print STDERR "$first and $second are not $said"; exit 1 }
}
print STDERR "ok ", scalar(@pairs), " sums\\n";
`;
const python =
  'k = int(input())\nfor _ in range(k):\n    a, b = map(int, input().split())\n    print(a + b, flush=True)\n';
const c =
  '#include <stdio.h>\nint main(void) { int k; long a, b; scanf("%d", &k); while (k--) { scanf("%ld %ld", &a, &b); printf("%ld\\n", a + b); fflush(stdout); } return 0; }\n';
const perl = '$| = 1; my $k = <STDIN>; while ($k--) { my ($a, $b) = split " ", <STDIN>; print $a + $b, "\\n" }\n';

/** See the head of this file. */
export const dialogue: Problem = {
  name: 'dialogue',
  check: {
    kind: 'interactor',
    files: [{ path: 'talk.pl', content: interactor }],
    run: { script: 'perl talk.pl "$@"' },
  },
  closeLimit: 'idle',
  stopAfterFailures: 1,
  testsAtOnce: 2,
  tests: (random) => {
    const texts = [2, 5, 10, 20].map((count) =>
      Array.from({ length: count }, () => numbersOf(random, 2, 1, 1000).join(' ')),
    );
    texts.push(
      ['2000000000 2000000000', '1 1'],
      ['1 1', '3 -10'],
      ['1 2', '2 3', '3 4'],
      ['0 0'],
      ['5 5', '6 6'],
      ['999 1'],
    );
    return texts.map((lines, index) => toTest(String(index + 1), `${lines.join('\n')}\n`, ''));
  },
  submissions: [
    accepted('python', python),
    accepted('c', c),
    accepted('perl', perl),
    accepted(
      'lua',
      'for _ = 1, io.read("n") do\n  local a, b = io.read("n", "n")\n  print(a + b)\n  io.stdout:flush()\nend\n',
    ),
    wrong('c', 'adds in 32 bits', mutate(c, ['"%ld\\n", a + b', '"%d\\n", (int)(a + b)']), '5', 4),
    wrong('python', 'answers one question', mutate(python, ['range(k)', 'range(1)']), '1', 0),
    wrong('python', 'says how it came to it', mutate(python, ['a + b, flush', '"sum", a + b, flush']), '1', 0),
    wrong('perl', 'does not know of signs', mutate(perl, ['$a + $b,', 'abs($a) + abs($b),']), '6', 5),
    ends('idle-time-exceeded', 'perl', 'keeps its answers to itself', mutate(perl, ['$| = 1; ', '']), '1', 0),
    ends(
      'idle-time-exceeded',
      'python',
      'wants all questions first',
      'k, *rest = map(int, open(0).read().split())\nfor i in range(k):\n    print(rest[2 * i] + rest[2 * i + 1])\n',
      '1',
      0,
    ),
    ends(
      'nonzero-exit',
      'python',
      'dies of signs',
      mutate(python, ['    print', '    assert b > 0\n    print']),
      '6',
      5,
    ),
  ],
};
