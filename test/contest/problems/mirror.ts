/**
 * A problem: the lines of a text from the last to the first, and each from its end to its beginning. Every byte counts.
 * Never a text without a line feed at its end; one has blank lines, one has blanks at the ends of lines.
 */
import type { SeededNumbers } from '../../support/seeded-numbers.ts';
import { accepted, ends, mutate, type Problem, toTest, wrong } from '../problem.ts';

const word = (random: SeededNumbers) =>
  Array.from({ length: 2 + random.below(8) }, () => String.fromCharCode(97 + random.below(26))).join('');
const mirrored = (lines: readonly string[]) =>
  [...lines]
    .reverse()
    .map((line) => `${[...line].reverse().join('')}\n`)
    .join('');
const python = 'import sys\nfor line in reversed(sys.stdin.read().splitlines()):\n    print(line[::-1])\n';
const perl = 'print map { chomp; scalar(reverse($_)) . "\\n" } reverse <STDIN>;\n';
const lua =
  'local lines = {}\nfor line in io.lines() do lines[#lines + 1] = line end\nfor i = #lines, 1, -1 do print(lines[i]:reverse()) end\n';

/** See the head of this file. */
export const mirror: Problem = {
  name: 'mirror',
  check: { kind: 'exact' },
  closeLimit: 'idle',
  stopAfterFailures: 1,
  tests: (random) => {
    const texts = Array.from({ length: 8 }, (_, index) => [
      'ab',
      ...Array.from({ length: index + 1 }, () => word(random)),
    ]);
    texts.push(['one', '', 'two', '', ''], ['ends  ', 'in blanks ']);
    return texts.map((lines, index) => toTest(String(index + 1), `${lines.join('\n')}\n`, mirrored(lines)));
  },
  submissions: [
    accepted('python', python),
    accepted('perl', perl),
    accepted('lua', lua),
    wrong(
      'python',
      'keeps the order of lines',
      mutate(python, ['reversed(sys.stdin.read().splitlines())', 'sys.stdin.read().splitlines()']),
      '1',
      0,
    ),
    wrong(
      'awk',
      'keeps the order of characters',
      '{ line[NR] = $0 } END { for (i = NR; i > 0; i--) print line[i] }\n',
      '1',
      0,
    ),
    wrong('python', 'leaves out blank lines', mutate(python, ['    print', '    if line: print']), '9', 8),
    wrong('python', 'takes blanks from the ends', mutate(python, ['line[::-1]', 'line.strip()[::-1]']), '10', 9),
    ends('nonzero-exit', 'perl', 'is right, and says that it is not', `${perl}exit 1;\n`, '1', 0),
  ],
};
