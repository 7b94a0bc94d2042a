/**
 * Owns the texts of --help. Pure; never says what the declaration does not.
 */
import { type CommandDeclaration, commands, everywhere, type FlagName, flags } from './declaration.ts';
import { exitCodeLines } from './exit-codes.ts';

const WIDTH = 100;
const INDENT = 28;

/** Text in lines of at most so many characters, each after the first behind an indent. */
export function wrap(text: string, width: number, indent: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + word.length + 1 > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].join(`\n${indent}`);
}

/** How a flag is written. */
export function flagWords(name: FlagName): string {
  const { short, value } = flags[name];
  return `${short === undefined ? '    ' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`;
}

function row(left: string, meaning: string): string {
  const text = wrap(meaning, WIDTH - INDENT, ' '.repeat(INDENT));
  return left.length + 3 > INDENT ? `  ${left}\n${' '.repeat(INDENT)}${text}` : `  ${left.padEnd(INDENT - 2)}${text}`;
}

/** The usage of a command in one line. */
export const usageOf = ({ name, operands }: CommandDeclaration) =>
  `envicutor ${name} [FLAGS]${operands === '' ? '' : ` ${operands}`}`;

function ofCommand(command: CommandDeclaration): string {
  return [
    `Usage: ${usageOf(command)}`,
    '',
    ...command.description.map((text) => wrap(text, WIDTH, '')),
    '',
    'Flags:',
    ...[...command.flags, ...everywhere].map((name) => row(flagWords(name), flags[name].meaning)),
    '',
    'Examples:',
    ...command.examples.map(([words, meaning]) => `  ${words}${meaning === '' ? '' : `\n      ${meaning}`}`),
    '',
  ].join('\n');
}

/** The text for a command, for a group of them, or for all. */
export function toHelp(topic: string): string {
  const command = commands.find(({ name }) => name === topic);
  if (command !== undefined) return ofCommand(command);
  const group = commands.filter(({ name }) => name.startsWith(`${topic} `));
  const listed = group.length > 0 ? group : commands;
  return [
    'Envicutor runs code that you do not trust, in environments that are built when somebody asks for them.',
    '',
    `Usage: envicutor ${group.length > 0 ? topic : 'COMMAND'} …`,
    '',
    'Commands:',
    ...listed.map(({ name, operands, summary }) => row(`${name} ${operands}`.trim(), summary)),
    '',
    'Exit codes:',
    ...exitCodeLines.map(([code, meaning]) => row(code, meaning)),
    '',
    '`envicutor COMMAND --help` says more of each; docs/cli.md and `man envicutor` say all of it.',
    '',
  ].join('\n');
}
