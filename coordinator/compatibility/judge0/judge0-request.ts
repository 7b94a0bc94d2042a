/**
 * Owns turning a submission of Judge0's protocol into a native request: files, scripts, limits, runs. Never starts it, and never reads the answer.
 * Invariant: scripts and environment are the recipe's own, so that everybody who uses the language shares its layers.
 */
import type { EnvironmentRequest, File } from '../../../shared/model/environment.ts';
import type { ExecutionRequest } from '../../../shared/model/execution.ts';
import type { AllLimits, Limits } from '../../../shared/model/limits.ts';
import { findRecipe, recipeOfFile, toExecutionRequest } from '../../../shared/recipes/recipe-use.ts';
import { withPrelude } from '../script-prelude.ts';
import { toWords } from '../shell-words.ts';
import { unpackFiles } from './additional-files.ts';
import { type Submission, type Text, toMetadata } from './judge0-attributes.ts';
import { type Language, type Languages, toRunScript, toSourceName } from './judge0-languages.ts';

const KIB = 1024;
const SECOND_MS = 1000;

/** The limits of the run; zero is no bound with the protocol, here it is the operator's. */
function toRunLimits(submission: Submission, maxima: AllLimits): Limits {
  const within = (value: number, maximum: number) => (value === 0 ? maximum : Math.min(maximum, Math.ceil(value)));
  const { cpu_time_limit: cpu, cpu_extra_time: extra, wall_time_limit: wall } = submission;
  const wallTimeMs = within(wall * SECOND_MS, maxima.wallTimeMs);
  const writtenBytes = submission.max_file_size * KIB;
  return {
    // As long as that it may go on; what it used above its limit is a verdict of this room.
    cpuTimeMs: within(cpu === 0 ? 0 : (cpu + extra) * SECOND_MS, maxima.cpuTimeMs),
    ...{ wallTimeMs, idleTimeMs: Math.min(wallTimeMs, maxima.idleTimeMs) },
    memoryBytes: within(submission.memory_limit * KIB, maxima.memoryBytes),
    stackBytes: within(submission.stack_limit * KIB, maxima.stackBytes),
    processes: submission.max_processes_and_or_threads,
    // A program's output is a file with the protocol.
    fileSizeBytes: within(writtenBytes, maxima.fileSizeBytes),
    outputBytes: within(writtenBytes, maxima.outputBytes),
  };
}

function toSource(path: string, { text, encoding }: Text): File {
  return { path, content: text, encoding, ...(path === 'a.out' ? { executable: true } : {}) };
}

/** Most endings of its files decide in which recipe's environment a program of several files is compiled and run. */
function environmentOf(files: readonly File[], { recipes }: Languages): EnvironmentRequest {
  const counts = new Map<string, number>();
  for (const { path } of files) {
    const name = /\.(sh|bash)$/.test(path) ? undefined : recipeOfFile(recipes, path)?.name;
    if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const [most] = [...counts].sort(([, one], [, other]) => other - one)[0] ?? [];
  return findRecipe(recipes, most ?? 'bash')?.environment ?? {};
}

/** What is compiled and run, before limits and inputs. */
function toProgram(submission: Submission, language: Language, files: File[], languages: Languages): ExecutionRequest {
  const words = toWords(submission.command_line_arguments ?? '');
  if (language.kind === 'recipe') {
    const { recipe } = language;
    const { compiler_options: options } = submission;
    return toExecutionRequest(recipe, {
      ...{ files, main: recipe.main, arguments: words },
      ...(options === null || options === '' ? {} : { compilerOptions: options }),
    });
  }
  const environment = language.kind === 'project' ? environmentOf(files, languages) : {};
  const has = (name: string) => files.some(({ path }) => path === name);
  const named = (name: string) => (has(`${name}.sh`) ? `${name}.sh` : has(name) ? name : null);
  const compile = language.kind === 'project' ? named('compile') : null;
  const run = language.kind === 'project' ? `exec bash ./${named('run') ?? 'run'} "$@"` : toRunScript(language);
  return {
    environment,
    files,
    ...(compile === null ? {} : { compile: { script: `exec bash ./${compile}` } }),
    run: { script: run, arguments: words },
  };
}

/** The request; SystemError `request-invalid` for additional files that can't be unpacked. */
export async function toRequest(
  submission: Submission,
  language: Language,
  { languages, maxima }: { readonly languages: Languages; readonly maxima: AllLimits },
): Promise<ExecutionRequest> {
  const { source_code: source, stdin, additional_files: archive, callback_url: url } = submission;
  const path = toSourceName(language);
  const own = path === null || source === null ? [] : [toSource(path, source)];
  const added = archive === null || archive === '' ? [] : await unpackFiles(Buffer.from(archive, 'base64'));
  const files = [...own, ...added.filter((file) => file.path !== path)];
  const program = toProgram(submission, language, files, languages);
  const script = submission.redirect_stderr_to_stdout
    ? withPrelude(program.run.script, 'exec 2>&1')
    : program.run.script;
  return {
    ...program,
    run: {
      ...program.run,
      script,
      limits: { ...program.run.limits, ...toRunLimits(submission, maxima) },
      ...(stdin === null ? {} : { stdin: stdin.text, stdinEncoding: stdin.encoding }),
    },
    ...toRuns(submission),
    metadata: toMetadata(submission),
    ...(url === null ? {} : { webhook: { url } }),
  };
}

/** Several runs are several tests of one execution: the program is compiled once. */
function toRuns({ number_of_runs: count, expected_output: expected }: Submission): Partial<ExecutionRequest> {
  if (count <= 1) return {};
  const test = expected === null ? {} : { expected: expected.text, expectedEncoding: expected.encoding };
  return { tests: Array.from({ length: count }, () => test), stopAfterFailures: 1 };
}
