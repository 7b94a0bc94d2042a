/**
 * A problem: do brackets fit, YES or NO? Every test has a weight, and none stops the others.
 * Never another character. Invariant: the weights are powers of two, so that the points say which tests were accepted.
 */
import { accepted, ends, mutate, type NamedTest, type Problem, toTest, wrong } from '../problem.ts';

/** With our answers; the weight of each is twice that of the one before, from 1. */
const cases = [
  ['short', '()', 'YES'],
  ['nested', '([]())[]', 'YES'],
  ['crossed', '([)]', 'NO'],
  ['open', '(()', 'NO'],
  ['closed', '())', 'NO'],
  ['backwards', ')(', 'NO'],
  ['deep', `${'('.repeat(500)}${')'.repeat(500)}`, 'YES'],
  ['long', '[]()'.repeat(300), 'YES'],
  ['mixed', '(]', 'NO'],
  ['plain', '()[]()', 'YES'],
] as const;
const python =
  "stack = []\nanswer = 'YES'\nfor x in input().strip():\n    if x in '([':\n        stack.append(x)\n    elif not stack or stack.pop() + x not in ('()', '[]'):\n        answer = 'NO'\n        break\nprint(answer if not stack or answer == 'NO' else 'NO')\n";
const perl = '$_ = <STDIN>; chomp; 1 while s/\\(\\)|\\[\\]//g; print length($_) ? "NO" : "YES";\n';
const counting =
  "s = input()\nprint('YES' if s.count('(') == s.count(')') and s.count('[') == s.count(']') else 'NO')\n";

/** See the head of this file. */
export const brackets: Problem = {
  name: 'brackets',
  check: { kind: 'tokens' },
  testsAtOnce: 2,
  tests: () =>
    cases.map(
      ([name, text, answer], index): NamedTest => ({ ...toTest(name, `${text}\n`, answer), weight: 2 ** index }),
    ),
  submissions: [
    accepted('python', python),
    accepted('perl', perl),
    wrong('python', 'only counts', counting, 'crossed', 1023 - 4 - 32),
    wrong('python', 'always agrees', "print('YES')\n", 'crossed', 1 + 2 + 64 + 128 + 512),
    wrong('sh', 'never agrees', 'echo NO\n', 'short', 4 + 8 + 16 + 32 + 256),
    wrong(
      'python',
      'says it in small letters',
      mutate(python, [
        "print(answer if not stack or answer == 'NO' else 'NO')",
        "print('yes' if answer == 'YES' and not stack else 'NO')",
      ]),
      'short',
      4 + 8 + 16 + 32 + 256,
    ),
    wrong('perl', 'does it once', mutate(perl, ['1 while s', 's']), 'nested', 1023 - 2 - 64),
    ends(
      'nonzero-exit',
      'python',
      'takes from an empty stack',
      mutate(python, ['not stack or stack.pop()', 'stack.pop()']),
      'closed',
      1023 - 16 - 32,
    ),
  ],
};
