/**
 * Owns envicutor-run's command line: every flag with its meaning, the help derived from them, and the way to an Invocation.
 * Never touches a file or the process. Every problem is told at once; nothing unknown is ignored and no value repaired.
 * Invariant: there is exactly one flag for each limit of shared/model/limits.ts, with its name and unit.
 */
import {
  type LimitName,
  type Limits,
  limitCeilings,
  limitDefaults,
  limitNames,
  limitProperties,
} from '../../shared/model/limits.ts';

/** One flag; without `value` it takes none. */
interface Flag {
  readonly value?: string;
  readonly isRepeatable?: boolean;
  readonly meaning: string;
}

const toFlagName = (field: string): string => field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

const limitFlags: Readonly<Record<string, Flag>> = Object.fromEntries(
  limitNames.map((name) => [
    toFlagName(name),
    { value: 'N', meaning: `${limitProperties[name].description} Default ${limitDefaults.run[name]}.` },
  ]),
);
const limitsByFlag = new Map<string, LimitName>(limitNames.map((name) => [toFlagName(name), name]));

const otherFlags = {
  'cpu-shares': { value: 'N', meaning: "Relative weight of the processor's share, 2 to 262144. Default 1024." },
  cpus: { value: 'LIST', meaning: 'Processors to run on, for example 0 or 2-3. Default: any.' },
  root: {
    value: 'DIR',
    meaning: "Show this directory as the root, read-only. Default: this machine's own programs (/usr).",
  },
  'cgroup-path': {
    value: 'DIR',
    meaning: 'cgroup v2: make ours below this directory. Default: the top for root, else our own cgroup.',
  },
  file: { value: 'SOURCE=PATH', isRepeatable: true, meaning: 'Put a copy of this file at PATH in the workspace.' },
  directory: { value: 'DIR', isRepeatable: true, meaning: 'Put copies of all files below DIR into the workspace.' },
  environment: { value: 'NAME=VALUE', isRepeatable: true, meaning: 'Set a variable; none is inherited.' },
  stdin: { value: 'FILE', meaning: 'Standard input; - is our own. Default -.' },
  tty: { meaning: 'Give the program a terminal of its own.' },
  collect: {
    value: 'PATTERN',
    isRepeatable: true,
    meaning: 'Afterwards copy files of the workspace that match out; * does not match /.',
  },
  'collect-into': {
    value: 'DIR',
    meaning: 'Where collected files go; made if missing. Default: the current directory.',
  },
  report: { value: 'FILE', meaning: 'Write the report there, as JSON; - is the same as --json.' },
  json: { meaning: 'Print the report, output included, instead of streaming the output.' },
  help: { meaning: 'Show this.' },
} as const satisfies Readonly<Record<string, Flag>>;

type OtherFlag = keyof typeof otherFlags;

/** Every flag by its name without the dashes. */
export const flags: Readonly<Record<string, Flag>> = { ...limitFlags, ...otherFlags };

/** What was asked for. */
export interface Invocation {
  readonly command: readonly string[];
  readonly limits: Limits;
  readonly cpuShares: number | null;
  readonly cpus: string | null;
  readonly root: string | null;
  readonly cgroupPath: string | null;
  readonly files: readonly { readonly source: string; readonly path: string }[];
  readonly directories: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** A path, or `-`. */
  readonly stdin: string;
  readonly isTerminal: boolean;
  readonly collect: readonly string[];
  readonly collectInto: string;
  /** A path, or null. */
  readonly reportPath: string | null;
  /** The report goes to standard output, and the output into the report only. */
  readonly isReportPrinted: boolean;
}

/** The invocation that the words after our own name ask for: help, or what to run, or everything that is wrong. */
export function readInvocation(
  words: readonly string[],
): { readonly invocation: Invocation } | { readonly problems: readonly string[] } | 'help' {
  const { given, command, problems } = splitWords(words);
  if (given.has('help')) return 'help';
  const reader = new ValueReader(given, problems);
  const limits: Limits = {};
  for (const [flag, name] of limitsByFlag) {
    const value = reader.number(flag, 1, limitCeilings[name]);
    if (value !== null) limits[name] = value;
  }
  const report = reader.text('report');
  const invocation: Invocation = {
    command,
    limits,
    cpuShares: reader.number('cpu-shares', 2, 262_144),
    cpus: reader.text('cpus'),
    root: reader.text('root'),
    cgroupPath: reader.text('cgroup-path'),
    files: reader.pairs('file').map(([source, path]) => ({ source, path })),
    directories: reader.texts('directory'),
    environment: Object.fromEntries(reader.pairs('environment')),
    stdin: reader.text('stdin') ?? '-',
    isTerminal: given.has('tty'),
    collect: reader.texts('collect'),
    collectInto: reader.text('collect-into') ?? '.',
    reportPath: report === '-' ? null : report,
    isReportPrinted: given.has('json') || report === '-',
  };
  if (command.length === 0) problems.push('no program is given: end with -- PROGRAM ARGUMENTS');
  return problems.length > 0 ? { problems } : { invocation };
}

interface SplitWords {
  readonly given: ReadonlyMap<string, readonly string[]>;
  readonly command: readonly string[];
  readonly problems: string[];
}

/** Flags end at `--` or at the first word that is none. */
function splitWords(words: readonly string[]): SplitWords {
  const given = new Map<string, string[]>();
  const problems: string[] = [];
  let at = 0;
  for (; at < words.length; at++) {
    const word = words[at] ?? '';
    if (word === '--' || !word.startsWith('-') || word === '-') break;
    const [, name = '', inline] = /^--?([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
    const flag = word.startsWith('--') && Object.hasOwn(flags, name) ? flags[name] : undefined;
    if (flag === undefined) {
      problems.push(`${word.split('=')[0]} is no flag${nearestTo(name)}`);
      continue;
    }
    const value = flag.value === undefined ? inline : (inline ?? words[++at]);
    if (flag.value === undefined && inline !== undefined) problems.push(`--${name} takes no value`);
    else if (flag.value !== undefined && value === undefined) problems.push(`--${name} needs ${flag.value}`);
    else if (given.has(name) && flag.isRepeatable !== true) problems.push(`--${name} is given twice`);
    else given.set(name, [...(given.get(name) ?? []), value ?? '']);
  }
  return { given, command: words.slice(words[at] === '--' ? at + 1 : at), problems };
}

class ValueReader {
  readonly #given: SplitWords['given'];
  readonly #problems: string[];

  constructor(given: SplitWords['given'], problems: string[]) {
    this.#given = given;
    this.#problems = problems;
  }

  texts(name: OtherFlag): readonly string[] {
    return this.#given.get(name) ?? [];
  }

  text(name: OtherFlag): string | null {
    return this.texts(name)[0] ?? null;
  }

  number(name: string, minimum: number, maximum: number): number | null {
    const text = this.#given.get(name)?.[0];
    if (text === undefined) return null;
    const value = Number(text);
    if (/^[0-9]{1,16}$/.test(text) && value >= minimum && value <= maximum) return value;
    this.#problems.push(`--${name} is '${text}': give a whole number from ${minimum} to ${maximum}`);
    return null;
  }

  pairs(name: OtherFlag): [string, string][] {
    return this.texts(name).flatMap((text): [string, string][] => {
      const at = text.indexOf('=');
      if (at > 0) return [[text.slice(0, at), text.slice(at + 1)]];
      this.#problems.push(`--${name} is '${text}': give ${flags[name]?.value}`);
      return [];
    });
  }
}

function nearestTo(name: string): string {
  const start = name.split('-')[0] ?? '';
  const near = Object.keys(flags).filter((flag) => start !== '' && (flag.startsWith(start) || name.startsWith(flag)));
  return near.length === 0 ? '; see --help' : `; there is ${near.map((flag) => `--${flag}`).join(', ')}`;
}

/** The text of --help. */
export function toHelp(statuses: readonly string[]): string {
  const line = ([name, flag]: readonly [string, Flag]): string =>
    `  ${`--${name}${flag.value === undefined ? '' : ` ${flag.value}`}`.padEnd(26)} ${flag.meaning}`;
  return [
    'envicutor-run [FLAGS] -- PROGRAM [ARGUMENTS]',
    'Runs one program in a fresh sandbox without network and tells how it ended, why, and what it used.',
    '',
    'Limits:',
    ...Object.entries(limitFlags).map(line),
    '',
    'Others:',
    ...Object.entries(otherFlags).map(line),
    '',
    'Exit status:',
    ...statuses.map((status) => `  ${status}`),
    '',
  ].join('\n');
}
