/**
 * Owns reading a submission of Judge0's protocol: defaults, conversions and the wire's own words for what is wrong. Never starts anything.
 * Invariant: what is refused names its attribute and the reason; an attribute that nobody knows is as if it were not there, as with the protocol.
 */
import { decodeInput } from '../../../shared/model/verdict.ts';
import { type ReceiverRules, whyRefused } from '../../deliveries/receiver-rules.ts';
import { type Submission, type Text, toText } from './judge0-attributes.ts';
import type { Language, Languages } from './judge0-languages.ts';
import {
  flagNames,
  type NumberSetting,
  type SettingName,
  toNumberText,
  WORDS_CHARACTERS_MAX,
} from './judge0-settings.ts';

/** What is wrong, by attribute. */
export type Problems = Record<string, string[]>;

/** What reading needs to know of this instance. */
export interface AskedTerms {
  readonly languages: Languages;
  readonly settings: Readonly<Record<SettingName, NumberSetting>>;
  readonly receivers: ReceiverRules;
}

/** A submission that can be run. */
export interface Asked {
  readonly submission: Submission;
  readonly language: Language;
}

const BLANK = "can't be blank";
const MISSING_LANGUAGE = '';
/** Characters that the protocol takes out of words that a shell reads. */
const strippedFromWords = /[$&;<>|`]/g;

type Members = Readonly<Record<string, unknown>>;

const isGiven = (value: unknown) => value !== undefined && value !== null;

class Reading {
  readonly problems: Problems = {};
  readonly #members: Members;

  constructor(members: Members) {
    this.#members = members;
  }

  complain(name: string, ...sentences: string[]): void {
    this.problems[name] = [...(this.problems[name] ?? []), ...sentences];
  }

  isSaid(name: string): boolean {
    return isGiven(this.#members[name]);
  }

  word(name: string): string | null {
    const value = this.#members[name];
    if (!isGiven(value)) return null;
    return typeof value === 'object' ? JSON.stringify(value) : String(value);
  }

  text(name: string, isBase64: boolean): Text | null {
    const value = this.word(name);
    return value === null ? null : toText(isBase64 ? decodeInput(value, 'base64') : Buffer.from(value));
  }

  flag(name: string): boolean {
    return ['true', '1', 't', 'yes', 'on'].includes((this.word(name) ?? '').toLowerCase());
  }

  number(name: string, { fallback, minimum, maximum, isWhole }: NumberSetting): number {
    const said = this.word(name);
    if (said === null || said.trim() === '') return fallback;
    const value = Number(said);
    const bound = (limit: number) => toNumberText(limit, isWhole);
    if (!Number.isFinite(value)) this.complain(name, 'is not a number');
    else if (name === 'number_of_runs' && value < 1) this.complain(name, 'must be greater than 0');
    else if (value < minimum) this.complain(name, `must be greater than or equal to ${bound(minimum)}`);
    else if (value > maximum) this.complain(name, `must be less than or equal to ${bound(maximum)}`);
    return isWhole && Number.isFinite(value) ? Math.trunc(value) : value;
  }

  words(name: string): string | null {
    const said = this.word(name);
    if (said === null) return null;
    if (said.length > WORDS_CHARACTERS_MAX)
      this.complain(name, `is too long (maximum is ${WORDS_CHARACTERS_MAX} characters)`);
    return said.replace(strippedFromWords, '');
  }
}

function readLanguage(reading: Reading, languages: Languages): Language | null {
  const said = reading.word('language_id') ?? MISSING_LANGUAGE;
  if (said === MISSING_LANGUAGE) reading.complain('language_id', BLANK);
  const language = /^\d{1,9}$/.test(said) ? languages.get(Number(said)) : undefined;
  if (language === undefined) reading.complain('language_id', `language with id ${said} doesn't exist`);
  return language ?? null;
}

function isBlank(text: Text | null): boolean {
  return text === null || (text.encoding === 'utf8' && text.text.trim() === '');
}

function checkSource(reading: Reading, source: Text | null, isProject: boolean): void {
  if (!isProject && isBlank(source)) reading.complain('source_code', BLANK);
  if (!isProject) return;
  if (!isBlank(source)) reading.complain('source_code', 'must be blank');
  if (!reading.isSaid('additional_files')) reading.complain('additional_files', BLANK);
}

function readFlags(reading: Reading): Pick<Submission, (typeof flagNames)[number]> {
  const flags = Object.fromEntries(flagNames.map((name) => [name, reading.flag(name)]));
  if (reading.flag('enable_network')) reading.complain('enable_network', 'enabling network is not allowed');
  for (const name of ['enable_per_process_and_thread_time_limit', 'enable_per_process_and_thread_memory_limit'])
    if (reading.flag(name)) reading.complain(name, 'this option cannot be enabled');
  return flags as Pick<Submission, (typeof flagNames)[number]>;
}

function readNumbers(
  reading: Reading,
  settings: AskedTerms['settings'],
  language: Language | null,
): Pick<Submission, SettingName> {
  const numbers = Object.fromEntries(
    Object.entries(settings).map(([name, setting]) => [name, reading.number(name, setting)]),
  ) as Record<SettingName, number>;
  // What a language needs is not the client's to know: where nothing is said, the recipe's own limits stand if they are wider.
  const own = language?.recipe?.run.limits ?? {};
  const widen = (name: SettingName, needed: number | undefined) => {
    if (!reading.isSaid(name) && needed !== undefined)
      numbers[name] = Math.min(settings[name].maximum, Math.max(numbers[name], Math.ceil(needed)));
  };
  widen('memory_limit', own.memoryBytes && own.memoryBytes / 1024);
  widen('stack_limit', own.stackBytes && own.stackBytes / 1024);
  widen('max_processes_and_or_threads', own.processes);
  widen('max_file_size', own.fileSizeBytes && own.fileSizeBytes / 1024);
  return numbers;
}

function readCallback(reading: Reading, receivers: ReceiverRules): string | null {
  const said = reading.word('callback_url');
  if (said === null || said.trim() === '') return null;
  const why = whyRefused(said, receivers);
  if (why !== null) reading.complain('callback_url', why);
  return said;
}

function readCompilerOptions(reading: Reading, language: Language | null): string | null {
  const options = reading.words('compiler_options');
  const isCompiled = language?.kind === 'recipe' && language.recipe.compile !== null;
  if (options !== null && options !== '' && language !== null && !isCompiled)
    reading.complain('compiler_options', 'setting compiler options is only allowed for compiled languages');
  return options;
}

/** The submission, or what is wrong with it. */
export function readSubmission(
  members: Members,
  isBase64: boolean,
  { languages, settings, receivers }: AskedTerms,
): Asked | { readonly problems: Problems } {
  const reading = new Reading(members);
  const source = reading.text('source_code', isBase64);
  const language = readLanguage(reading, languages);
  checkSource(reading, source, language?.kind === 'project');
  const submission: Submission = {
    ...{ source_code: source, language_id: language?.id ?? 0 },
    compiler_options: readCompilerOptions(reading, language),
    command_line_arguments: reading.words('command_line_arguments'),
    ...{ stdin: reading.text('stdin', isBase64), expected_output: reading.text('expected_output', isBase64) },
    ...readNumbers(reading, settings, language),
    ...readFlags(reading),
    ...{ callback_url: readCallback(reading, receivers), additional_files: reading.word('additional_files') },
  };
  if (language === null || Object.keys(reading.problems).length > 0) return { problems: reading.problems };
  return { submission, language };
}
