/**
 * An interactive problem: a number up to 1000 is found in ten tries, by questions that a shell script answers with more, less or found.
 * Never tells the number. Invariant: the first tests are found by halving, the sixth is the highest that there is.
 */
import { accepted, ends, mutate, type Problem, toTest, wrong } from '../problem.ts';

/** By testlib's convention. */
const interactor = `read -r n < "$1"
echo 1000
tries=0
while read -r guess; do
  case $guess in '' | *[!0-9]*) echo "not a number" >&2; exit 2;; esac
  tries=$((tries + 1))
  [ $tries -le 10 ] || { echo "more than ten tries" >&2; exit 1; }
  if [ "$guess" -eq "$n" ]; then echo found; echo "ok $tries tries" >&2; exit 0; fi
  if [ "$guess" -lt "$n" ]; then echo more; else echo less; fi
done
echo "gave up after $tries tries" >&2
exit 1
`;
const python =
  "low, high = 1, int(input())\nwhile True:\n    m = (low + high) // 2\n    print(m, flush=True)\n    said = input()\n    if said == 'found':\n        break\n    if said == 'more':\n        low = m + 1\n    else:\n        high = m - 1\n";
const c =
  '#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\nint main(void) { int low = 1, high; char said[16]; scanf("%d", &high); for (;;) { int m = (low + high) / 2; printf("%d\\n", m); fflush(stdout); if (scanf("%15s", said) != 1) return 0; if (*said == \'f\') break; if (*said == \'m\') low = m + 1; else high = m - 1; } return 0; }\n';
const sh =
  'read -r high\nlow=1\nwhile :; do\n  m=$(((low + high) / 2))\n  echo $m\n  read -r said\n  case $said in found) exit 0;; more) low=$((m + 1));; *) high=$((m - 1));; esac\ndone\n';

/** See the head of this file. */
export const guess: Problem = {
  name: 'guess',
  check: {
    kind: 'interactor',
    files: [{ path: 'talk.sh', content: interactor }],
    run: { script: 'sh talk.sh "$@"' },
  },
  closeLimit: 'idle',
  stopAfterFailures: 1,
  tests: (random) =>
    [37, 700, 1, 500, 1 + random.below(999), 1000, 1 + random.below(999), 999, 2, 998].map((n, index) =>
      toTest(String(index + 1), `${n}\n`, ''),
    ),
  submissions: [
    accepted('python', python),
    accepted('c', c),
    accepted('sh', sh),
    wrong('python', 'tries one after the other', mutate(python, ['(low + high) // 2', 'low']), '1', 0),
    wrong('c', 'never tries the highest', mutate(c, ['scanf("%d", &high);', 'scanf("%d", &high); high--;']), '6', 5),
    wrong('sh', 'gives up after one try', mutate(sh, ['read -r said', 'exit 0']), '1', 0),
    wrong('sh', 'talks of something else', 'read -r high\necho hello\nread -r said\n', '1', 0),
    ends('idle-time-exceeded', 'c', 'keeps its questions to itself', mutate(c, ['fflush(stdout);', '']), '1', 0),
    ends(
      'idle-time-exceeded',
      'sh',
      'waits for a second word before the first question',
      `read -r first\nread -r second\n${sh}`,
      '1',
      0,
    ),
    ends('signaled', 'c', 'crashes at the first answer', mutate(c, ["if (*said == 'f') break;", 'abort();']), '1', 0),
    ends(
      'nonzero-exit',
      'c',
      'finds it, and returns 3',
      mutate(c, ["if (*said == 'f') break;", "if (*said == 'f') return 3;"]),
      '1',
      0,
    ),
    ends(
      'idle-time-exceeded',
      'c',
      'finds it, and sleeps',
      mutate(c, ["if (*said == 'f') break;", "if (*said == 'f') pause();"]),
      '1',
      0,
    ),
  ],
};
