/**
 * Owns reading a run of Jobe's protocol and turning it into a native request: the wire's words for what is wrong, parameters, files, scripts. Never
 * starts it. Invariant: a parameter that can't be kept to is refused with its reason, never passed over.
 */
import type { ExecutionRequest } from '../../../shared/model/execution.ts';
import type { AllLimits, Limits } from '../../../shared/model/limits.ts';
import { toExecutionRequest } from '../../../shared/recipes/recipe-use.ts';
import { withPrelude } from '../script-prelude.ts';
import { toWords } from '../shell-words.ts';
import type { JobeLanguage, JobeLimits } from './jobe-languages.ts';

/** A refusal in the wire's words. */
export class JobeRefusal extends Error {
  readonly http: number;

  constructor(http: number, message: string) {
    super(message);
    this.http = http;
  }
}

/** What a run is made with. */
export interface JobeTerms {
  readonly languages: ReadonlyMap<string, JobeLanguage>;
  readonly maxima: AllLimits;
  /** A file that was sent before. */
  readonly find: (id: string) => Buffer | undefined;
}

const CPU_SECONDS_MAX = 50;
const SECOND_MS = 1000;
const MB = 1000 * 1024;
const KIB_OF_MB = 1000;
const FILE_ID = /^[A-Za-z0-9]{8,64}$/;

type Members = Readonly<Record<string, unknown>>;
type ListName = 'compileargs' | 'linkargs' | 'interpreterargs' | 'runargs';
type Parameters = JobeLimits & Readonly<Record<ListName, readonly string[]>>;

const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function readNeeded(spec: Members, name: string): string {
  const value = spec[name];
  if (value === undefined || value === null)
    throw new JobeRefusal(400, `run_spec is missing the required attribute '${name}'`);
  return String(value);
}

function readParameters(spec: Members, { limits, compileargs }: JobeLanguage): Parameters {
  const said = isObject(spec['parameters']) ? spec['parameters'] : {};
  const number = (name: keyof JobeLimits): number => {
    const value = said[name];
    const isNumber = value !== undefined && value !== null && value !== '' && Number.isFinite(Number(value));
    return isNumber ? Number(value) : limits[name];
  };
  const list = (name: ListName, fallback: readonly string[] = []): readonly string[] => {
    const value = said[name];
    return Array.isArray(value) ? value.map(String) : fallback;
  };
  return {
    ...{ disklimit: number('disklimit'), streamsize: number('streamsize'), cputime: number('cputime') },
    ...{ memorylimit: number('memorylimit'), numprocs: number('numprocs') },
    ...{ compileargs: list('compileargs', compileargs), linkargs: list('linkargs') },
    ...{ interpreterargs: list('interpreterargs'), runargs: list('runargs') },
  };
}

function checkCpuTime(spec: Members, { cpuTimeMs }: AllLimits): void {
  const most = Math.min(CPU_SECONDS_MAX, Math.floor(cpuTimeMs / SECOND_MS));
  const said = isObject(spec['parameters']) ? Number(spec['parameters']['cputime'] ?? 0) : 0;
  if (said > most) throw new JobeRefusal(400, `cputime exceeds maximum allowed on this Jobe server (${most} secs)`);
}

/** Names without a folder, of letters that no shell reads. */
function isFileName(name: string): boolean {
  return name.length <= 255 && /^[^.-]/.test(name) && !/[<>:"/\\|?*\p{Cc}\u00a0\u00ad#[\]@!$&'()+,;={}^~`]/u.test(name);
}

function readSourceName(spec: Members, source: string, { id, recipe }: JobeLanguage): string {
  const said = spec['sourcefilename'];
  const isSaid = typeof said === 'string' && said !== '';
  if (isSaid && !isFileName(said)) throw new JobeRefusal(400, 'The sourcefilename for the run_spec is illegal');
  // Old clients say so of every Java program.
  if (isSaid && said !== 'prog.java') return said;
  const main =
    id === 'java' ? /\bpublic\s+(?:final\s+|abstract\s+)*class\s+([A-Za-z_]\w*)/.exec(source)?.[1] : undefined;
  return main === undefined ? recipe.main : `${main}.java`;
}

function readFiles(spec: Members, find: JobeTerms['find']) {
  const said = spec['file_list'] ?? [];
  if (!Array.isArray(said)) throw new JobeRefusal(400, `Invalid file specifier: ${JSON.stringify(said)}`);
  return said.map((one: unknown) => {
    const [id, path] = Array.isArray(one) && (one.length === 2 || one.length === 3) ? one : [];
    const isValid = typeof id === 'string' && FILE_ID.test(id) && typeof path === 'string' && /^[\w.-]+$/.test(path);
    if (!isValid) throw new JobeRefusal(400, `Invalid file specifier: ${JSON.stringify(one)}`);
    const content = find(id);
    if (content === undefined) throw new JobeRefusal(404, 'One or more of the specified files is missing/unavailable');
    return { path, content: content.toString('base64'), encoding: 'base64' as const, executable: true };
  });
}

/** The limits of the run; zero is no bound with the protocol, here it is the operator's. */
function toLimits(parameters: Parameters, maxima: AllLimits): Limits {
  const within = (value: number, maximum: number) => (value <= 0 ? maximum : Math.min(maximum, Math.ceil(value)));
  const wallTimeMs = within(2 * parameters.cputime * SECOND_MS, maxima.wallTimeMs);
  return {
    cpuTimeMs: within(parameters.cputime * SECOND_MS, maxima.cpuTimeMs),
    ...{ wallTimeMs, idleTimeMs: Math.min(wallTimeMs, maxima.idleTimeMs) },
    memoryBytes: within(parameters.memorylimit * MB, maxima.memoryBytes),
    fileSizeBytes: within(parameters.disklimit * MB, maxima.fileSizeBytes),
    outputBytes: within(parameters.streamsize * MB, maxima.outputBytes),
    // The script's own shell is one of them.
    processes: within(parameters.numprocs + 1, maxima.processes),
  };
}

/** The command of the script with these words after its program's name, as the protocol puts them there. */
function withInterpreterArguments(script: string, words: readonly string[], language: string): string {
  if (words.length === 0) return script;
  const command = /^([ \t]*exec[ \t]+\S+)(.*"\$@".*)$/m;
  if (!command.test(script))
    throw new JobeRefusal(
      400,
      `interpreterargs can't be given to ${language} here: its recipe's run script has no place for them`,
    );
  return script.replace(command, (_whole, program: string, rest: string) => `${program} ${words.join(' ')}${rest}`);
}

/** The request; throws JobeRefusal. */
export function toRequest(body: unknown, { languages, maxima, find }: JobeTerms): ExecutionRequest {
  if (!isObject(body)) throw new JobeRefusal(400, 'Non-JSON post data received');
  const spec = body['run_spec'];
  if (!isObject(spec)) throw new JobeRefusal(400, 'No run_spec attribute found in post data');
  const source = readNeeded(spec, 'sourcecode');
  const id = readNeeded(spec, 'language_id').toLowerCase();
  const language = languages.get(id);
  if (language === undefined) throw new JobeRefusal(400, `Language '${id}' is not known`);
  checkCpuTime(spec, maxima);
  const { recipe, lint, boundsAddresses } = language;
  const parameters = readParameters(spec, language);
  const main = readSourceName(spec, source, language);
  const added = readFiles(spec, find).filter(({ path }) => path !== main);
  const options = [...language.compilerOptions, ...parameters.compileargs, ...parameters.linkargs];
  const request = toExecutionRequest(recipe, {
    ...{ files: [{ path: main, content: source }, ...added], main, stdin: String(spec['input'] ?? '') },
    arguments: toWords(parameters.runargs.join(' ')),
    ...(options.length === 0 ? {} : { compilerOptions: options.join(' ') }),
    runLimits: toLimits(parameters, maxima),
  });
  const run = withInterpreterArguments(request.run.script, parameters.interpreterargs, id);
  const isBounded = boundsAddresses && parameters.memorylimit > 0;
  const variables = request.run.variables ?? {};
  return {
    ...request,
    ...(request.compile === undefined && lint !== null ? { compile: { script: lint, variables } } : {}),
    run: {
      ...request.run,
      script: isBounded ? withPrelude(run, `ulimit -v ${Math.ceil(parameters.memorylimit * KIB_OF_MB)}`) : run,
    },
  };
}
