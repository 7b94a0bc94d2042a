/**
 * A problem: the area of a circle, as exactly as a double has it (the tolerance that a comparison has unless it is told).
 * Never a radius of 0. Invariant: the last two radii are so large that a tolerance that were not relative would refuse what is right.
 */
import { accepted, mutate, type Problem, toTest, wrong } from '../problem.ts';

const python = 'import math\nr = float(input())\nprint(math.pi * r * r)\n';
const c =
  '#include <math.h>\n#include <stdio.h>\nint main(void) { double r; scanf("%lf", &r); printf("%.12g\\n", acos(-1) * r * r); return 0; }\n';

/** See the head of this file. */
export const circle: Problem = {
  name: 'circle',
  check: { kind: 'float' },
  closeLimit: 'idle',
  stopAfterFailures: 1,
  tests: (random) => {
    const radii = [1, 2, 0.5, ...Array.from({ length: 5 }, () => (1 + random.below(100_000)) / 1000), 123_456.789, 1e7];
    return radii.map((r, index) => toTest(String(index + 1), `${r}\n`, `${Math.PI * r * r}\n`));
  },
  submissions: [
    accepted('python', python),
    accepted('c', c, 'is right to twelve digits'),
    accepted(
      'lua',
      'local r = io.read("n")\nprint(string.format("%.15e", math.pi * r * r))\n',
      'is right with an exponent',
    ),
    wrong('python', 'knows two digits of pi', mutate(python, ['math.pi', '3.14']), '1', 0),
    wrong(
      'c',
      'counts in single precision',
      mutate(c, ['acos(-1) * r * r', '(double)(float)(acos(-1) * r * r)']),
      '1',
      0,
    ),
    wrong('c', 'says six digits', mutate(c, ['%.12g', '%g']), '1', 0),
    wrong('python', 'takes the diameter', mutate(python, ['r * r', 'r * r / 4']), '1', 0),
    wrong(
      'perl',
      'knows nothing above a thousand',
      'my $r = <STDIN>; $r = 1000 if $r > 1000; printf "%.12f\\n", 4 * atan2(1, 1) * $r * $r;\n',
      '9',
      8,
    ),
  ],
};
