/**
 * Owns docs/cli.md: the command line's commands, flags, settings and exit codes as a page. Never lists one by hand.
 */
import {
  type CommandDeclaration,
  commands,
  everywhere,
  type FlagName,
  flags,
  settings,
} from '../../client/cli/declaration.ts';
import { exitCodeLines } from '../../client/cli/exit-codes.ts';
import { flagWords, usageOf } from '../../client/cli/help-text.ts';
import { notice, table } from './markdown.ts';

/** The text of docs/cli.md. */
export function toCliPage(): string {
  return [
    notice("the command line's declaration"),
    '# The command line',
    '',
    '`envicutor` runs files, builds environments and says what does not work. From a checkout it is `bin/envicutor`, from a tarball `bin/envicutor`, from the npm package',
    '`envicutor`. It speaks to any coordinator: the one of `--url`, of `ENVICUTOR_URL`, or the one that `envicutor login` remembered.',
    '',
    '```sh',
    'git clone <this repository> envicutor && cd envicutor',
    'bin/envicutor run ops/environments/cpp/hello/main.cpp',
    '```',
    '',
    'With none configured it asks `127.0.0.1:7070`, and if nobody answers there it starts an instance, as root in a checkout: the one that `make run` starts, in the background.',
    'That one ends by itself ten minutes after the last command that used it, `envicutor stop` ends it now, and Ctrl-C in the command that has started it ends it with that command. Whoever uses it by other means keeps',
    'one running with `make run`. An installation without a checkout has programs for each process ([installing-agents.md](installing-agents.md), [containers.md](containers.md)), and no supervisor that starts all of them.',
    '',
    'What it says itself goes to standard error. Builds are shown with a bar for each script on a terminal, and with a line for each phase elsewhere. A bar is as far as such a phase usually is; a',
    'percentage stands beside it only where the whole is known.',
    '',
    'Scripts and recipes are explained in [recipes.md](recipes.md), limits and verdicts in [http-api.md](http-api.md), comparisons in [judging.md](judging.md), the terminal of `--interactive` in [terminal.md](terminal.md).',
    'Completion: `source <(envicutor completion bash)`; zsh and fish as below. The manual page is `man/envicutor.1`.',
    '',
    ...commands.flatMap(describe),
    '## Settings',
    '',
    table(
      ['variable or file', 'meaning'],
      settings.map(([name, meaning]) => [`\`${name}\``, meaning]),
    ),
    '',
    '## Exit codes',
    '',
    'A program may exit with any of these numbers itself; `--json` tells them apart.',
    '',
    table(
      ['code', 'meaning'],
      exitCodeLines.map(([code, meaning]) => [code, meaning]),
    ),
    '',
  ].join('\n');
}

function describe(command: CommandDeclaration): string[] {
  const rows = [...command.flags, ...everywhere].map((name: FlagName) => [
    `\`${flagWords(name).trim()}\``,
    flags[name].meaning,
  ]);
  const examples = command.examples.map(([words, meaning]) => (meaning === '' ? words : `${words}  # ${meaning}`));
  return [
    `## ${command.name}`,
    '',
    ...command.description.flatMap((text) => [text, '']),
    ...['```sh', usageOf(command), ...examples, '```', ''],
    table(['flag', 'meaning'], rows),
    '',
  ];
}
