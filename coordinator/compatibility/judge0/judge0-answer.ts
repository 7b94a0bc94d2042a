/**
 * Owns a submission as Judge0's protocol answers it: which attributes, how bytes are written, and what is said when they can't be. Pure.
 * Never knows HTTP. Invariant: an attribute that was not asked for is not looked at.
 */

import type { ExecutionId } from '../../../shared/ids.ts';
import type { Execution } from '../../../shared/model/execution.ts';
import { toUuid } from '../execution-uuid.ts';
import { fromMetadata, type Submission, type Text, toBytes } from './judge0-attributes.ts';
import type { Languages } from './judge0-languages.ts';
import { type Outcome, toOutcome } from './judge0-outcome.ts';
import { toNumberText } from './judge0-settings.ts';

/** An attribute that can't be written as text; the wire's words. */
export class UnwritableText extends Error {
  constructor() {
    super('some attributes for this submission cannot be converted to UTF-8, use base64_encoded=true query parameter');
  }
}

interface Told extends Submission, Outcome {
  readonly token: string;
  readonly status_id: number;
  readonly language: { id: number; name: string };
  readonly created_at: string;
  readonly finished_at: string | null;
}

const textNames = ['source_code', 'stdin', 'expected_output', 'stdout', 'stderr', 'compile_output', 'message'] as const;
const secondNames = ['cpu_time_limit', 'cpu_extra_time', 'wall_time_limit'] as const;
const defaultNames = ['stdout', 'time', 'memory', 'stderr', 'token', 'compile_output', 'message', 'status'] as const;
const otherNames = [
  ...['language_id', 'status_id', 'created_at', 'finished_at', 'number_of_runs', 'memory_limit', 'stack_limit'],
  ...['max_processes_and_or_threads', 'enable_per_process_and_thread_time_limit', 'max_file_size', 'exit_code'],
  ...['enable_per_process_and_thread_memory_limit', 'exit_signal', 'wall_time', 'compiler_options', 'language'],
  ...['command_line_arguments', 'redirect_stderr_to_stdout', 'callback_url', 'additional_files', 'enable_network'],
] as const;
const allNames: readonly string[] = [...new Set([...textNames, ...secondNames, ...defaultNames, ...otherNames])];

/** The names that a list asks for; `invalid`: those that are none. */
export function readFields(said: string | undefined): { names: readonly string[] } | { invalid: readonly string[] } {
  if (said === undefined || said.trim() === '') return { names: defaultNames };
  const asked = said.split(',').map((name) => name.trim());
  if (asked.includes('*')) return { names: allNames };
  const invalid = asked.filter((name) => !allNames.includes(name));
  return invalid.length > 0 ? { invalid } : { names: asked };
}

const LINE_CHARACTERS = 60;

/** Base64 in lines, each ended, as the protocol writes it. */
export function toBase64Lines(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('base64')
    .replace(new RegExp(`.{1,${LINE_CHARACTERS}}`, 'g'), '$&\n');
}

function writeText(text: Text, isBase64: boolean): string {
  if (isBase64) return toBase64Lines(toBytes(text));
  if (text.encoding === 'base64') throw new UnwritableText();
  return text.text;
}

const isText = (name: string): boolean => (textNames as readonly string[]).includes(name);
const isSeconds = (name: string): boolean => (secondNames as readonly string[]).includes(name);

/** A submission with the attributes that were asked for; null: it is none of this protocol. Throws UnwritableText. */
export function toAnswer(
  execution: Execution,
  languages: Languages,
  { names, isBase64 }: { readonly names: readonly string[]; readonly isBase64: boolean },
): Record<string, unknown> | null {
  const submission = fromMetadata(execution.metadata);
  if (submission === null) return null;
  const outcome = toOutcome(execution, submission);
  const told: Told = {
    ...{ ...submission, ...outcome, status_id: outcome.status.id },
    ...{ token: toUuid(execution.id as ExecutionId), language: languages.told(submission.language_id) },
    ...{ created_at: execution.createdAt, finished_at: execution.finishedAt },
  };
  const write = (name: string): unknown => {
    const value = told[name as keyof Told];
    if (value === null) return null;
    if (isText(name)) return writeText(value as Text, isBase64);
    return isSeconds(name) ? toNumberText(value as number, false) : value;
  };
  return Object.fromEntries(names.map((name) => [name, write(name)]));
}

/** What is sent to a callback; null: the execution is no submission of this protocol. */
export function toCallbackBody(execution: Execution, languages: Languages): Buffer | null {
  const answer = toAnswer(execution, languages, { names: defaultNames, isBase64: true });
  return answer === null ? null : Buffer.from(JSON.stringify(answer));
}
