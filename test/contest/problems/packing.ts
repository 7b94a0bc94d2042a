/**
 * A problem with parts of points: which things fill a bag as far as can be? A Perl program checks and gives the part of the best that was packed.
 * Never a test that stops another. Invariant: taking the largest first fills the bag in the five plain tests, and 0.6 of it in the five traps.
 */
import { accepted, ends, mutate, type Problem, toTest, wrong } from '../problem.ts';

/** By testlib's convention: 7 with "points", from 0 to 1. */
const checker = `use strict;
sub words { open(my $f, '<', shift) or exit 3; local $/; return split ' ', scalar <$f> // '' }
my ($room, @sizes) = words($ARGV[0]);
my @taken = words($ARGV[1]);
my ($best) = words($ARGV[2]);
my ($filled, %seen) = (0);
for (@taken) {
  if (!/^\\d+$/ || $_ < 1 || $_ > @sizes || $seen{$_}++) { print STDERR "cannot take $_\\n"; exit 1 }
  $filled += $sizes[$_ - 1];
}
if ($filled > $room) { print STDERR "$filled do not fit into $room\\n"; exit 1 }
print STDERR "points ", $filled / $best, " $filled of $best\\n";
exit 7;
`;
const read = 'room, *sizes = map(int, open(0).read().split())\n';
const python = `${read}ways = {0: []}\nfor i, size in enumerate(sizes):\n    for filled, way in list(ways.items()):\n        if filled + size <= room and filled + size not in ways:\n            ways[filled + size] = way + [i + 1]\nprint(*ways[max(ways)])\n`;
const greedy = `${read}left = room\nfor size, i in sorted(((s, i) for i, s in enumerate(sizes, 1)), reverse=True):\n    if size <= left:\n        left -= size\n        print(i)\n`;

/** See the head of this file. */
export const packing: Problem = {
  name: 'packing',
  check: { kind: 'program', files: [{ path: 'check.pl', content: checker }], run: { script: 'perl check.pl "$@"' } },
  tests: (random) => {
    const scales = Array.from({ length: 5 }, () => 1 + random.below(50));
    return [
      ...scales.map((k, index) => toTest(`plain-${index + 1}`, `${7 * k}\n${k} ${4 * k} ${2 * k}\n`, `${7 * k}\n`)),
      ...scales.map((k, index) =>
        toTest(`trap-${index + 1}`, `${10 * k}\n${6 * k} ${5 * k} ${5 * k}\n`, `${10 * k}\n`),
      ),
    ];
  },
  submissions: [
    accepted('python', python),
    wrong('python', 'takes the largest first', greedy, 'trap-1', 5 + 5 * 0.6),
    wrong('awk', 'takes the first one', 'NR == 2 { print 1 }\n', 'plain-1', 5 / 7 + 5 * 0.6),
    wrong('awk', 'takes the last one', 'NR == 2 { print NF }\n', 'plain-1', 10 / 7 + 5 * 0.5),
    wrong('sh', 'takes all', 'echo 1 2 3\n', 'trap-1', 5),
    wrong('sh', 'takes the first one twice', 'echo 1 1\n', 'plain-1', 0),
    ends(
      'nonzero-exit',
      'python',
      'expects things that fit',
      mutate(greedy, ['left = room\n', 'left = room\nassert sum(sizes) <= room\n']),
      'trap-1',
      5,
    ),
  ],
};
