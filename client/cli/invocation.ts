/**
 * Owns the way from words to an invocation: which command, its operands, its flags; or everything that is wrong with them.
 * Pure; never repairs a value and ignores nothing. Invariant: what is taken is what declaration.ts says.
 */
import { parseArgs } from 'node:util';
import { nearestName } from '../../shared/http/nearest-name.ts';
import { type CommandDeclaration, commands, everywhere, type FlagName, flags } from './declaration.ts';

/** What was asked for. */
export interface Invocation {
  readonly command: CommandDeclaration;
  readonly operands: readonly string[];
  /** What came after `--`. */
  readonly rest: readonly string[];
  readonly flags: GivenFlags;
}

/** Flags that were given. */
export class GivenFlags {
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.#values = values;
  }

  has(name: FlagName): boolean {
    return this.#values.has(name);
  }

  text(name: FlagName): string | null {
    return this.#values.get(name)?.at(-1) ?? null;
  }

  texts(name: FlagName): readonly string[] {
    return this.#values.get(name) ?? [];
  }
}

/** What the words mean. */
export type Reading =
  | { readonly kind: 'invocation'; readonly invocation: Invocation }
  | { readonly kind: 'help'; readonly topic: string }
  | { readonly kind: 'version' }
  | { readonly kind: 'problems'; readonly problems: readonly string[] };

/** Reads the words after our own name. */
export function readWords(words: readonly string[]): Reading {
  const [first = '', second = ''] = words;
  if (words.length === 0 || first === '--help' || first === '-h') return { kind: 'help', topic: '' };
  if (first === '--version' || first === '-V') return { kind: 'version' };
  if (first === 'help') return { kind: 'help', topic: words.slice(1).join(' ') };
  const found =
    commands.find(({ name }) => name === first) ?? commands.find(({ name }) => name === `${first} ${second}`);
  if (found !== undefined) return readCommand(found, words.slice(found.name.split(' ').length));
  const isGroup = commands.some(({ name }) => name.startsWith(`${first} `));
  if (isGroup && (second === '' || second === '--help' || second === '-h')) return { kind: 'help', topic: first };
  return { kind: 'problems', problems: [unknownCommand(first, isGroup ? second : '')] };
}

function unknownCommand(first: string, second: string): string {
  const said = `${first} ${second}`.trim();
  const near = nearestName(
    said,
    commands.map(({ name }) => name),
  );
  if (first.startsWith('-')) return `${first} comes after a command; see envicutor --help`;
  if (near !== null) return `there is no command ${said}; did you mean envicutor ${near}?`;
  // Who forgets the command means this one.
  if (/\.[a-z0-9+]+$/i.test(first)) return `there is no command ${said}; did you mean envicutor run ${said}?`;
  return `there is no command ${said}; envicutor --help lists them`;
}

function readCommand(command: CommandDeclaration, words: readonly string[]): Reading {
  const known: readonly FlagName[] = [...command.flags, ...everywhere];
  const options = Object.fromEntries(
    known.map((name) => {
      const { value, short } = flags[name];
      const type = value === undefined ? 'boolean' : 'string';
      return [name, { type, multiple: true, ...(short === undefined ? {} : { short }) }] as const;
    }),
  );
  // Not strict by itself: every problem is to be told, each with its remedy.
  const { tokens } = parseArgs({ args: [...words], options, strict: false, allowPositionals: true, tokens: true });
  const given = new Map<string, string[]>();
  const operands: string[] = [];
  const problems: string[] = [];
  let end = words.length;
  for (const token of tokens) {
    if (token.kind === 'option-terminator') end = token.index;
    else if (token.kind === 'positional') {
      if (token.index < end) operands.push(token.value);
    } else {
      const flag = known.find((name) => name === token.name);
      const problem = flag === undefined ? unknownFlag(command, token.rawName) : valueProblem(flag, token, given);
      if (problem !== null) problems.push(problem);
      else given.set(token.name, [...(given.get(token.name) ?? []), token.value ?? '']);
    }
  }
  if (given.has('help')) return { kind: 'help', topic: command.name };
  const rest = words.slice(end + 1);
  problems.push(...operandProblems(command, operands, rest));
  if (problems.length > 0) return { kind: 'problems', problems };
  return { kind: 'invocation', invocation: { command, operands, rest, flags: new GivenFlags(given) } };
}

interface OptionToken {
  readonly rawName: string;
  readonly value: string | undefined;
  readonly inlineValue: boolean | undefined;
}

function valueProblem(name: FlagName, { rawName, value, inlineValue }: OptionToken, given: Map<string, string[]>) {
  const flag = flags[name];
  if (flag.value === undefined) return inlineValue === true ? `${rawName} takes no value` : null;
  if (value === undefined) return `${rawName} needs a value: ${rawName} ${flag.value}`;
  if (value === '' && flag.kind !== undefined) return `${rawName} is empty: give ${flag.value}`;
  return flag.isRepeatable !== true && given.has(name) ? `${rawName} is given twice` : null;
}

function unknownFlag({ name, flags: own }: CommandDeclaration, rawName: string): string {
  const word = rawName.replace(/^-+/, '');
  const near = rawName.startsWith('--') ? nearestName(word, own) : null;
  const remedy = near === null ? `see envicutor ${name} --help` : `did you mean --${near}?`;
  return `${rawName} is no flag of envicutor ${name}; ${remedy}`;
}

function operandProblems(command: CommandDeclaration, operands: readonly string[], rest: readonly string[]): string[] {
  const { name, operandsMin, operandsMax, takesArguments, operandKind } = command;
  if (rest.length > 0 && takesArguments !== true) return [`envicutor ${name} takes nothing after --`];
  if (operands.length < operandsMin) return [`envicutor ${name} needs ${command.operands}`];
  if (operands.length > operandsMax)
    return [
      `envicutor ${name} takes ${operandsMax === 0 ? 'no operand' : command.operands}: ${operands.slice(operandsMax).join(' ')} is too much`,
    ];
  const [first = ''] = operands;
  if (Array.isArray(operandKind) && !operandKind.includes(first))
    return [`${first} is none of ${operandKind.join(', ')}`];
  return [];
}
