/**
 * A problem: rows of a table become its columns. Lines are compared.
 * Never a table of one cell first; the last three are not square.
 */
import { accepted, mutate, numbersOf, type Problem, toTest, wrong } from '../problem.ts';

const python =
  "r, c = map(int, input().split())\nrows = [input().split() for _ in range(r)]\nfor column in zip(*rows):\n    print(' '.join(column))\n";
const perl =
  'my ($r, $c) = split " ", <STDIN>; my @t = map { [split] } <STDIN>;\nfor my $k (0 .. $c - 1) { print join(" ", map { $t[$_][$k] } 0 .. $r - 1), "\\n" }\n';
const cpp =
  '#include <cstdio>\nint t[50][50];\nint main() { int r, c; scanf("%d %d", &r, &c); for (int i = 0; i < r; i++) for (int k = 0; k < c; k++) scanf("%d", &t[i][k]); for (int k = 0; k < c; k++) { for (int i = 0; i < r; i++) printf("%d ", t[i][k]); puts(""); } }\n';

/** See the head of this file. */
export const transpose: Problem = {
  name: 'transpose',
  check: { kind: 'lines' },
  closeLimit: 'wall',
  stopAfterFailures: 1,
  tests: (random) => {
    const sizes = [
      [2, 2],
      [3, 3],
      [4, 4],
      [5, 5],
      [6, 6],
      [1, 1],
      [9, 9],
      [2, 7],
      [7, 2],
      [1, 12],
    ] as const;
    return sizes.map(([r, c], index) => {
      const rows = Array.from({ length: r }, (_, row) => [row + 1, ...numbersOf(random, c - 1, 100, 999)]);
      const columns = Array.from({ length: c }, (_, column) => rows.map((row) => row[column]));
      const text = (table: readonly (readonly unknown[])[]) => table.map((row) => `${row.join(' ')}\n`).join('');
      return toTest(String(index + 1), `${r} ${c}\n${text(rows)}`, text(columns));
    });
  },
  submissions: [
    accepted('python', python),
    accepted('perl', perl),
    accepted('cpp', cpp, 'has a blank at the end of each line'),
    wrong('sh', 'changes nothing', 'read -r size\nexec cat\n', '1', 0),
    wrong('perl', 'thinks that all is square', mutate(perl, ['0 .. $c - 1', '0 .. $r - 1']), '8', 7),
    wrong('python', 'turns it upside down', mutate(python, ['zip(*rows)', 'zip(*reversed(rows))']), '1', 0),
    wrong(
      'python',
      'has a blank line between',
      mutate(python, ["' '.join(column))", "' '.join(column), end='\\n\\n')"]),
      '1',
      0,
    ),
  ],
};
