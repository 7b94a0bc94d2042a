/**
 * Owns which files go along with an execution, and how: found by path, folder or pattern, named as they lie below the current folder; large ones are sent
 * before, as files of their own. Never follows a link out of a folder, and never changes a file.
 */
import { globSync, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import type { InputFile } from '../../shared/model/file.ts';
import type { EnvicutorClient } from '../typescript/envicutor-client.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError, type Surroundings, say } from './surroundings.ts';

/** What is larger is sent by itself. */
const INLINE_BYTES_MAX = 256 * 1024;
/** Beyond it we would hold too much at once; bytes. */
export const STDIN_BYTES_MAX = 1024 ** 3;
/** Standard input that says nothing for so long is asked about. */
const STDIN_HINT_MS = 3000;

/** A file on this machine, and what it is called in the workspace. */
export interface GivenFile {
  readonly source: string;
  readonly path: string;
}

const wrong = (sentence: string, cause?: unknown) => new CommandError(exitCodes.usage, sentence, cause);
const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? String(error);

/** Sources and further files, in their order, each once; CommandError for what is not there and for two of one name. */
export function findFiles(folder: string, sources: readonly string[], further: readonly string[]): GivenFile[] {
  const found = [
    ...sources.flatMap((path) => [checkFile(folder, path)]),
    ...further.flatMap((path) => expand(folder, path)),
  ];
  const files = new Map<string, string>();
  for (const source of found) {
    const path = toWorkspacePath(folder, source);
    const other = files.get(path);
    if (other !== undefined && other !== source)
      throw wrong(`${other} and ${source} would both be ${path} in the workspace: start from a folder that holds both`);
    files.set(path, source);
  }
  return [...files].map(([path, source]) => ({ source, path }));
}

/** As it lies below the current folder; what is outside of it, by its own name. */
export function toWorkspacePath(folder: string, source: string): string {
  const path = relative(folder, source);
  const isOutside = path === '' || path.startsWith(`..${sep}`) || path === '..' || isAbsolute(path);
  return isOutside ? basename(source) : path;
}

function checkFile(folder: string, given: string): string {
  const source = resolve(folder, given);
  const facts = statSync(source, { throwIfNoEntry: false });
  if (facts === undefined) throw wrong(`there is no file ${given}`);
  if (!facts.isFile()) throw wrong(`${given} is no file; a folder goes along with --file ${given}`);
  return source;
}

function expand(folder: string, given: string): string[] {
  const source = resolve(folder, given);
  const facts = statSync(source, { throwIfNoEntry: false });
  if (facts?.isFile() === true) return [source];
  if (facts?.isDirectory() === true) return filesBelow(source);
  if (facts !== undefined) throw wrong(`--file ${given} is neither file nor folder`);
  const matching = /[*?[{]/.test(given) ? globSync(given, { cwd: folder }).map((path) => resolve(folder, path)) : [];
  const files = matching.filter((path) => lstatSync(path).isFile()).sort();
  if (files.length === 0) throw wrong(`--file ${given}: there is no such file`);
  return files;
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !relative(folder, path).split(sep).includes('.git'))
    .sort();
}

/** The files as a request takes them. */
export async function toInputFiles(
  client: EnvicutorClient,
  files: readonly GivenFile[],
  signal: AbortSignal,
): Promise<InputFile[]> {
  const given: InputFile[] = [];
  for (const { source, path } of files) {
    let bytes: Buffer<ArrayBuffer>;
    try {
      bytes = readFileSync(source);
    } catch (cause) {
      throw wrong(`${source} can't be read (${codeOf(cause)})`, cause);
    }
    const executable = (statSync(source).mode & 0o111) !== 0 ? { executable: true } : {};
    if (bytes.length > INLINE_BYTES_MAX)
      given.push({ path, file: (await client.files.upload(bytes, { signal })).id, ...executable });
    else given.push({ path, ...toText(bytes, 'content', 'encoding'), ...executable } as InputFile);
  }
  return given;
}

/** Bytes as two members of a request: text, or base64 where it is none. */
function toText(bytes: Buffer, name: string, encodingName: string): Record<string, string> {
  const text = bytes.toString('utf8');
  return Buffer.from(text).equals(bytes)
    ? { [name]: text }
    : { [name]: bytes.toString('base64'), [encodingName]: 'base64' };
}

/** Bytes of an input as a request takes them. */
export interface GivenInput {
  readonly stdin?: string;
  readonly stdinEncoding?: 'utf8' | 'base64' | 'file';
}

/** An input of a program; sent before if it is large. */
export async function toInput(
  client: EnvicutorClient,
  bytes: Buffer<ArrayBuffer>,
  signal: AbortSignal,
): Promise<GivenInput> {
  if (bytes.length === 0) return {};
  if (bytes.length <= INLINE_BYTES_MAX) return toText(bytes, 'stdin', 'stdinEncoding') as GivenInput;
  return { stdin: (await client.files.upload(bytes, { signal })).id, stdinEncoding: 'file' };
}

/** The whole of standard input, or of the file that is given instead; empty when it is a terminal. */
export async function readStandardInput(surroundings: Surroundings, path: string | null): Promise<Buffer<ArrayBuffer>> {
  if (path !== null) {
    try {
      return readFileSync(resolve(surroundings.folder, path));
    } catch (cause) {
      throw wrong(`--stdin ${path} can't be read (${codeOf(cause)})`, cause);
    }
  }
  const { stdin, clock, signal } = surroundings;
  if (stdin.isTTY) return Buffer.alloc(0);
  const hint = clock.after(STDIN_HINT_MS, () =>
    say(
      surroundings,
      'reading standard input to its end; `< /dev/null` or --stdin FILE if the program reads none of it',
    ),
  );
  const stop = () => stdin.destroy();
  signal.addEventListener('abort', stop);
  const pieces: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const piece of stdin as AsyncIterable<Buffer>) {
      hint.cancel();
      pieces.push(piece);
      bytes += piece.length;
      if (bytes > STDIN_BYTES_MAX)
        throw wrong(`standard input has more than ${STDIN_BYTES_MAX} bytes: give it as a file, with --file`);
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof CommandError) throw error;
    // A closed descriptor is an input without a byte.
    if (codeOf(error) !== 'EBADF' && codeOf(error) !== 'EISDIR') throw error;
  } finally {
    hint.cancel();
    signal.removeEventListener('abort', stop);
  }
  signal.throwIfAborted();
  return Buffer.concat(pieces);
}

/** What a stream says, as text. */
export const readText = (stream: Surroundings['stdin']): Promise<string> => textOf(stream);
