/**
 * An interactive problem: one to three stones are taken in turn, and whoever takes the last has won. A compiled program is the opponent, who makes no
 * mistake. Never a game that cannot be won by who begins.
 */
import { environments } from '../languages.ts';
import { accepted, ends, mutate, type Problem, toTest, wrong } from '../problem.ts';

/** By testlib's convention, without testlib. */
const interactor = `#include <cstdio>
static int say(int code, const char *what, int n) { fprintf(stderr, "%s %d\\n", what, n); return code; }
int main(int, char **paths) {
  FILE *input = fopen(paths[1], "r");
  int n, taken;
  if (!input || fscanf(input, "%d", &n) != 1) return 3;
  printf("%d\\n", n);
  for (;;) {
    fflush(stdout);
    if (scanf("%d", &taken) != 1) return say(feof(stdin) ? 8 : 2, "no move with stones", n);
    if (taken < 1 || taken > 3 || taken > n) return say(1, "cannot take", taken);
    n -= taken;
    if (n == 0) return say(0, "ok, the last was", taken);
    int own = n % 4 ? n % 4 : 1;
    n -= own;
    if (n == 0) return say(1, "lost by", own);
    printf("%d\\n", own);
  }
}
`;
const python =
  'n = int(input())\nwhile n > 0:\n    take = n % 4\n    print(take, flush=True)\n    n -= take\n    if n > 0:\n        n -= int(input())\n';
const c =
  '#include <stdio.h>\nint main(void) { int n, own; scanf("%d", &n); while (n > 0) { printf("%d\\n", n % 4); fflush(stdout); n -= n % 4; if (scanf("%d", &own) != 1) break; n -= own; } return 0; }\n';

/** See the head of this file. */
export const stones: Problem = {
  name: 'stones',
  check: {
    kind: 'interactor',
    environment: environments.native,
    files: [{ path: 'talk.cpp', content: interactor }],
    compile: { script: 'g++ -O1 talk.cpp -o talk' },
    run: { script: './talk "$@"' },
  },
  stopAfterFailures: 1,
  tests: (random) =>
    [1, 2, 3, 5, 10, 21, 4 * random.below(10) + 7, 99, 6, 50].map((n, index) =>
      toTest(String(index + 1), `${n}\n`, ''),
    ),
  submissions: [
    accepted('python', python),
    accepted('c', c, 'is right, and listens until nobody speaks'),
    accepted(
      'perl',
      '$| = 1; my $n = <STDIN>; while ($n > 0) { print $n % 4, "\\n"; $n -= $n % 4; $n -= <STDIN> if $n > 0 }\n',
    ),
    wrong('python', 'takes one', mutate(python, ['n % 4', '1']), '2', 1),
    wrong('python', 'takes as many as it may', mutate(python, ['n % 4', 'min(n, 3)']), '4', 3),
    wrong('python', 'takes as many as there are', mutate(python, ['n % 4', 'n']), '4', 3),
    wrong('c', 'passes', mutate(c, ['printf("%d\\n", n % 4)', 'printf("0\\n")']), '1', 0),
    wrong('c', 'goes away', '#include <stdio.h>\nint main(void) { int n; scanf("%d", &n); return 0; }\n', '1', 0),
    ends(
      'cpu-time-exceeded',
      'python',
      'thinks for ever about its move',
      mutate(python, ['    take = n % 4\n', '    while True: pass\n']),
      '1',
      0,
    ),
    ends(
      'memory-exceeded',
      'python',
      'keeps all games in mind',
      "all = []\nn = input()\nwhile True:\n    all.append(bytearray(b'x') * (1 << 20))\n",
      '1',
      0,
    ),
    ends(
      'nonzero-exit',
      'python',
      'dies of many stones',
      mutate(python, ['while n > 0:\n', 'assert n < 50\nwhile n > 0:\n']),
      '8',
      7,
    ),
  ],
};
