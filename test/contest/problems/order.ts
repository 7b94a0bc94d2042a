/**
 * A problem with many answers: an order of n courses in which each comes after those that it needs. A compiled program checks, with a reader of its own.
 * Never a circle. Invariant: the first test has exactly one order, and it is not that of the numbers.
 */
import type { SeededNumbers } from '../../support/seeded-numbers.ts';
import { environments } from '../languages.ts';
import { accepted, ends, mutate, type Problem, toTest, wrong } from '../problem.ts';

/** By testlib's convention, without testlib. */
const checker = `#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <vector>
[[noreturn]] static void say(int code, const char *what, long at) { fprintf(stderr, "%s %ld\\n", what, at); exit(code); }
struct Reader {
  FILE *file;
  explicit Reader(const char *path) : file(fopen(path, "r")) { if (!file) say(3, "cannot open file", 0); }
  bool word(char *text, int size) {
    int c = fgetc(file), length = 0;
    while (isspace(c)) c = fgetc(file);
    for (; c != EOF && !isspace(c); c = fgetc(file)) if (length < size - 1) text[length++] = (char)c;
    text[length] = 0;
    return length > 0;
  }
  long number(int none, int other) {
    char text[32], *end;
    if (!word(text, sizeof text)) say(none, "the end comes too early", 0);
    long value = strtol(text, &end, 10);
    if (*end) say(other, "that is not a number", 0);
    return value;
  }
};
int main(int, char **paths) {
  Reader input(paths[1]), output(paths[2]);
  long n = input.number(3, 3), m = input.number(3, 3);
  std::vector<long> place(n + 1, 0);
  for (long i = 1; i <= n; i++) {
    long course = output.number(8, 2);
    if (course < 1 || course > n) say(1, "there is no course", course);
    if (place[course]) say(1, "comes twice:", course);
    place[course] = i;
  }
  char rest[8];
  if (output.word(rest, sizeof rest)) say(4, "words after the last course", n);
  while (m--) {
    long before = input.number(3, 3), after = input.number(3, 3);
    if (place[before] > place[after]) say(1, "comes too early:", after);
  }
  fprintf(stderr, "ok %ld courses\\n", n);
}
`;
const python =
  'import sys\nn, m, *rest = map(int, sys.stdin.read().split())\nneeds = [0] * (n + 1)\nthen = [[] for _ in range(n + 1)]\nfor a, b in zip(rest[::2], rest[1::2]):\n    needs[b] += 1\n    then[a].append(b)\nready = [i for i in range(1, n + 1) if needs[i] == 0]\nfor a in ready:\n    for b in then[a]:\n        needs[b] -= 1\n        if needs[b] == 0:\n            ready.append(b)\nprint(*ready)\n';
const c =
  '#include <stdio.h>\nint n, m, a[9000], b[9000], done[2001];\nvoid visit(int x) { if (done[x]) return; done[x] = 1; for (int i = 0; i < m; i++) if (b[i] == x) visit(a[i]); printf("%d\\n", x); }\nint main(void) { scanf("%d %d", &n, &m); for (int i = 0; i < m; i++) scanf("%d %d", a + i, b + i); for (int x = n; x > 0; x--) visit(x); return 0; }\n';

/** A test whose edges follow some hidden order. */
function toCourses(random: SeededNumbers, n: number, m: number): string {
  const hidden = Array.from({ length: n }, (_, index) => index + 1);
  for (let at = n - 1; at > 0; at -= 1) {
    const other = random.below(at + 1);
    [hidden[at], hidden[other]] = [hidden[other] ?? 0, hidden[at] ?? 0];
  }
  const edges = Array.from({ length: m }, () => {
    const after = 1 + random.below(n - 1);
    return `${hidden[random.below(after)]} ${hidden[after]}`;
  });
  return `${n} ${m}\n${edges.join('\n')}\n`;
}

/** See the head of this file. */
export const order: Problem = {
  name: 'order',
  check: {
    kind: 'program',
    environment: environments.native,
    files: [{ path: 'check.cpp', content: checker }],
    compile: { script: 'g++ -O1 check.cpp -o check' },
    run: { script: './check "$@"' },
  },
  stopAfterFailures: 1,
  tests: (random) => {
    const sizes = [
      [6, 8],
      [8, 4],
      [10, 20],
      [50, 100],
      [100, 300],
      [300, 900],
      [1000, 2000],
      [2000, 4000],
    ] as const;
    const texts = ['4 3\n3 1\n1 4\n4 2\n', '3 0\n', ...sizes.map(([n, m]) => toCourses(random, n, m))];
    return texts.map((text, index) => toTest(String(index + 1), text, ''));
  },
  submissions: [
    accepted('python', python),
    accepted('c', c, 'is right from the end'),
    wrong('sh', 'counts', 'read -r n m\nseq "$n"\n', '1', 0),
    wrong('python', 'goes backwards', mutate(python, ['*ready)', '*reversed(ready))']), '1', 0),
    wrong(
      'python',
      'leaves out what needs nothing and is needed by nobody',
      mutate(python, ['if needs[i] == 0]', 'if needs[i] == 0 and then[i]]']),
      '2',
      1,
    ),
    wrong('python', 'says more than the order', mutate(python, ['*ready)', '*ready, "courses")']), '1', 0),
    wrong(
      'c',
      'says the first one twice',
      mutate(c, ['printf("%d\\n", x)', 'printf("%d\\n%s", x, x == 3 ? "3\\n" : "")']),
      '1',
      0,
    ),
    ends(
      'signaled',
      'c',
      'has room for three hundred',
      mutate(c, [
        'for (int i = 0; i < m; i++) scanf',
        'if (n > 300) __builtin_trap(); for (int i = 0; i < m; i++) scanf',
      ]),
      '9',
      8,
    ),
  ],
};
