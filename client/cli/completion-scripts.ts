/**
 * Owns the completion scripts of bash, zsh and fish, made of the declaration. Pure; a script asks nobody and starts nothing.
 */
import { type CommandDeclaration, commands, everywhere, type FlagName, flags, type ValueKind } from './declaration.ts';

type OperandKind = ValueKind | readonly string[];

const firstWords = [...new Set(commands.map(({ name }) => name.split(' ')[0] ?? ''))];
const secondWords = (first: string) =>
  commands.flatMap(({ name }) => (name.startsWith(`${first} `) ? [name.slice(first.length + 1)] : []));
const groups = firstWords.filter((word) => secondWords(word).length > 0);
const flagsOf = (command: CommandDeclaration): readonly FlagName[] => [...command.flags, ...everywhere];
const kindOf = (name: FlagName): ValueKind => flags[name].kind ?? 'text';
const summaryOf = (first: string) =>
  commands.find(({ name }) => name === first)?.summary ?? `${first}: ${secondWords(first).join(', ')}`;

/** The script for a shell; null: there is none for it. */
export function toCompletion(shell: string): string | null {
  const make = { bash: toBash, zsh: toZsh, fish: toFish }[shell];
  return make === undefined ? null : make();
}

const head = (shell: string) => `# Completion of envicutor for ${shell}, made by: envicutor completion ${shell}\n`;

function bashReply(kind: OperandKind): string {
  if (typeof kind !== 'string') return `COMPREPLY=($(compgen -W '${kind.join(' ')}' -- "$word"))`;
  if (kind === 'text') return 'COMPREPLY=()';
  return `COMPREPLY=($(compgen -${kind === 'file' ? 'f' : 'd'} -- "$word")); compopt -o filenames 2>/dev/null`;
}

function toBash(): string {
  const values = Object.keys(flags).filter((name) => flags[name as FlagName].value !== undefined) as FlagName[];
  const words = (name: FlagName) => [
    `--${name}`,
    ...(flags[name].short === undefined ? [] : [`-${flags[name].short}`]),
  ];
  const valueCases = (['file', 'folder', 'text'] as const).map((kind) => {
    const patterns = values.filter((name) => kindOf(name) === kind).flatMap(words);
    return `    ${patterns.join('|')}) ${bashReply(kind)}; return ;;`;
  });
  const commandCases = commands.map((command) => {
    const all = flagsOf(command).map((name) => `--${name}`);
    return `    '${command.name}') if [[ $word == -* ]]; then COMPREPLY=($(compgen -W '${all.join(' ')}' -- "$word")); else ${bashReply(command.operandKind)}; fi ;;`;
  });
  const groupCases = groups.map(
    (group) => `      ${group}) COMPREPLY=($(compgen -W '${secondWords(group).join(' ')}' -- "$word")); return ;;`,
  );
  return `${head('bash')}_envicutor() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} command=\${COMP_WORDS[1]}
  if ((COMP_CWORD == 1)); then COMPREPLY=($(compgen -W '${[...firstWords, 'help', '--help', '--version'].join(' ')}' -- "$word")); return; fi
  if ((COMP_CWORD == 2)); then
    case $command in
${groupCases.join('\n')}
    esac
  fi
  case $command in ${groups.join('|')}) command="$command \${COMP_WORDS[2]}" ;; esac
  case $before in
${valueCases.join('\n')}
  esac
  case $command in
${commandCases.join('\n')}
  esac
}
complete -F _envicutor envicutor
`;
}

/** Text between single quotes, in which a colon and brackets mean nothing to zsh. */
const zshText = (text: string) => text.replaceAll("'", "'\\''").replace(/[[\]:]/g, (mark) => `\\${mark}`);
const zshAction = (kind: OperandKind): string =>
  typeof kind !== 'string' ? `(${kind.join(' ')})` : kind === 'file' ? '_files' : kind === 'folder' ? '_files -/' : ' ';

function toZsh(): string {
  const spec = (name: FlagName) => {
    const { short, value, meaning, isRepeatable } = flags[name];
    const tail = `[${zshText(meaning)}]${value === undefined ? '' : `:${zshText(value)}:${zshAction(kindOf(name))}`}`;
    const star = isRepeatable === true ? '*' : '';
    const equals = value === undefined ? '' : '=';
    return [
      `'${star}--${name}${equals}${tail}'`,
      ...(short === undefined ? [] : [`'${star}-${short}${value === undefined ? '' : '+'}${tail}'`]),
    ];
  };
  const commandCases = commands.map((command) => {
    const operands =
      command.operandsMax === 0 ? [] : [`'*:${zshText(command.operands)}:${zshAction(command.operandKind)}'`];
    return `    '${command.name}') _arguments -s ${[...flagsOf(command).flatMap(spec), ...operands].join(' ')} ;;`;
  });
  const listed = (rows: readonly (readonly [string, string])[]) =>
    rows.map(([word, text]) => `'${word}:${zshText(text)}'`).join(' ');
  const groupCases = groups.map((group) => {
    const rows = commands
      .filter(({ name }) => name.startsWith(`${group} `))
      .map(({ name, summary }) => [name.slice(group.length + 1), summary] as const);
    return `      ${group}) local -a verbs=(${listed(rows)}); _describe command verbs; return ;;`;
  });
  return `#compdef envicutor
${head('zsh')}_envicutor() {
  local command=$words[2]
  if ((CURRENT == 2)); then local -a all=(${listed(firstWords.map((word) => [word, summaryOf(word)] as const))}); _describe command all; return; fi
  if ((CURRENT == 3)); then
    case $command in
${groupCases.join('\n')}
    esac
  fi
  case $command in ${groups.join('|')}) command="$command $words[3]"; words=("$words[1]" "\${(@)words[4,-1]}"); ((CURRENT -= 2)) ;; *) words=("$words[1]" "\${(@)words[3,-1]}"); ((CURRENT -= 1)) ;; esac
  case $command in
${commandCases.join('\n')}
  esac
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _envicutor "$@"; else compdef _envicutor envicutor; fi
`;
}

const fishText = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

function toFish(): string {
  const lines = [`complete -c envicutor -n __fish_use_subcommand -f -a '${firstWords.join(' ')} help'`];
  for (const word of firstWords)
    lines.push(`complete -c envicutor -n __fish_use_subcommand -f -a ${word} -d ${fishText(summaryOf(word))}`);
  for (const group of groups) {
    const verbs = secondWords(group);
    const without = `__fish_seen_subcommand_from ${group}; and not __fish_seen_subcommand_from ${verbs.join(' ')}`;
    for (const verb of verbs)
      lines.push(
        `complete -c envicutor -n ${fishText(without)} -f -a ${verb} -d ${fishText(commands.find(({ name }) => name === `${group} ${verb}`)?.summary ?? '')}`,
      );
  }
  for (const command of commands) {
    const seen = command.name
      .split(' ')
      .map((word) => `__fish_seen_subcommand_from ${word}`)
      .join('; and ');
    for (const name of flagsOf(command)) {
      const { short, value, meaning } = flags[name];
      const takes =
        value === undefined
          ? ''
          : kindOf(name) === 'file'
            ? ' -r -F'
            : kindOf(name) === 'folder'
              ? " -x -a '(__fish_complete_directories)'"
              : ' -x';
      lines.push(
        `complete -c envicutor -n ${fishText(seen)} -l ${name}${short === undefined ? '' : ` -s ${short}`}${takes} -d ${fishText(meaning)}`,
      );
    }
    const { operandKind } = command;
    if (typeof operandKind !== 'string')
      lines.push(`complete -c envicutor -n ${fishText(seen)} -f -a '${operandKind.join(' ')}'`);
    else if (operandKind === 'text') lines.push(`complete -c envicutor -n ${fishText(seen)} -f`);
  }
  return `${head('fish')}${lines.join('\n')}\n`;
}
