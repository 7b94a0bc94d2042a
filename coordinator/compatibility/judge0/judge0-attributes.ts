/**
 * Owns what a submission of Judge0's protocol is once its every attribute has a value: as it is remembered with its execution, in the words of the wire.
 * Never reads a request (judge0-asked) and never says what became of it (judge0-outcome).
 * Invariant: what is remembered is checked again when it is read: a native client may write anything under the same name.
 */
import { type Static, Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { Closed, Nullable, OneOf } from '../../../shared/model/closed.ts';
import { decodeInput, encodeOutput } from '../../../shared/model/verdict.ts';

/** Bytes as our answers carry them. */
const Text = Closed({ text: Type.String(), encoding: OneOf(['utf8', 'base64']) });
export type Text = Static<typeof Text>;

const text = Nullable(Text);
const word = Nullable(Type.String());

/** What was asked for. Times are seconds, sizes KiB, as on the wire. */
export const Submission = Closed({
  source_code: text,
  language_id: Type.Integer(),
  compiler_options: word,
  command_line_arguments: word,
  stdin: text,
  expected_output: text,
  cpu_time_limit: Type.Number(),
  cpu_extra_time: Type.Number(),
  wall_time_limit: Type.Number(),
  memory_limit: Type.Integer(),
  stack_limit: Type.Integer(),
  max_processes_and_or_threads: Type.Integer(),
  max_file_size: Type.Integer(),
  number_of_runs: Type.Integer(),
  enable_per_process_and_thread_time_limit: Type.Boolean(),
  enable_per_process_and_thread_memory_limit: Type.Boolean(),
  redirect_stderr_to_stdout: Type.Boolean(),
  enable_network: Type.Boolean(),
  callback_url: word,
  additional_files: word,
});
export type Submission = Static<typeof Submission>;

const checked = TypeCompiler.Compile(Closed({ judge0: Submission }));

/** What is remembered of a submission, as an execution's metadata. */
export function toMetadata(submission: Submission): { judge0: Submission } {
  return { judge0: submission };
}

/** The submission that an execution is; null: it was not asked for by this protocol. */
export function fromMetadata(metadata: unknown): Submission | null {
  return checked.Check(metadata) ? metadata.judge0 : null;
}

/** Bytes as a text. */
export function toText(bytes: Uint8Array): Text {
  return encodeOutput(bytes);
}

/** The bytes of a text. */
export function toBytes({ text, encoding }: Text): Buffer {
  return decodeInput(text, encoding);
}
