/**
 * A problem: greet whoever is named on a line. Every byte counts, the line feed at the end too.
 * Never more than one line of input; the last name has two words, as the one before has letters of two bytes.
 */
import { accepted, mutate, type Problem, toTest, wrong } from '../problem.ts';

const names = ['Ada', 'Grace', 'Edsger', 'Barbara', 'Donald', 'Tony', 'Niklaus', 'Frances', 'Zoë', 'Ada Lovelace'];
const python = "name = input()\nprint(f'Hello, {name}!')\n";
const c =
  '#include <stdio.h>\n#include <string.h>\nint main(void) { char name[100]; fgets(name, sizeof name, stdin); name[strcspn(name, "\\n")] = 0; printf("Hello, %s!\\n", name); return 0; }\n';
const sh = 'IFS= read -r name\nprintf \'Hello, %s!\\n\' "$name"\n';

/** See the head of this file. */
export const greeting: Problem = {
  name: 'greeting',
  check: { kind: 'exact' },
  closeLimit: 'idle',
  stopAfterFailures: 1,
  tests: () => names.map((name, index) => toTest(String(index + 1), `${name}\n`, `Hello, ${name}!\n`)),
  submissions: [
    accepted('python', python),
    accepted('c', c),
    accepted('sh', sh),
    accepted('lua', "print('Hello, ' .. io.read() .. '!')\n"),
    wrong('perl', 'ends its line nowhere', 'chomp(my $n = <STDIN>); print "Hello, $n!";\n', '1', 0),
    wrong('python', 'has a blank at the end', mutate(python, ["!'", "! '"]), '1', 0),
    wrong('sh', 'ends lines by two characters', mutate(sh, ['!\\n', '!\\r\\n']), '1', 0),
    wrong('awk', 'greets the first word', '{ printf "Hello, %s!\\n", $1 }\n', '10', 9),
    wrong('c', 'reads one word', mutate(c, ['fgets(name, sizeof name, stdin);', 'scanf("%99s", name);']), '10', 9),
    wrong(
      'python',
      'writes another encoding',
      "import sys\nname = open(0, encoding='utf-8').readline().rstrip('\\n')\nsys.stdout.buffer.write(f'Hello, {name}!\\n'.encode('latin-1'))\n",
      '9',
      8,
    ),
  ],
};
