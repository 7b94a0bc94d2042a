/**
 * Owns where a request names files that were sent before: every place, by its pointer. Pure; the one list of such places, for whoever resolves, holds or
 * refuses them.
 */
import { type FileId, isId } from '../ids.ts';
import type { ExecutionRequest } from './execution.ts';
import type { InputEncoding, InputFile } from './file.ts';

/** A place of a request that names a file; `purpose`: is its content a file of the workspace, or an input? */
export interface FilePlace {
  readonly pointer: string;
  readonly id: FileId;
  readonly purpose: 'workspace' | 'input';
}

/** A text that may be a file's id. */
interface Part {
  readonly pointer: string;
  readonly text: string | undefined;
  readonly encoding: InputEncoding | undefined;
}

function toFiles(files: readonly InputFile[], pointer: string): FilePlace[] {
  return files.flatMap((file, index): FilePlace[] =>
    'file' in file ? [{ pointer: `${pointer}/${index}/file`, id: file.file, purpose: 'workspace' }] : [],
  );
}

/** Every place of a request that names a file; the request was checked before. */
export function findFilePlaces({ files = [], run, tests = [], check }: ExecutionRequest): FilePlace[] {
  const parts: Part[] = [
    { pointer: '/run/stdin', text: run.stdin, encoding: run.stdinEncoding },
    ...tests.flatMap(({ stdin, stdinEncoding, expected, expectedEncoding }, index) => [
      { pointer: `/tests/${index}/stdin`, text: stdin, encoding: stdinEncoding },
      { pointer: `/tests/${index}/expected`, text: expected, encoding: expectedEncoding },
    ]),
  ];
  const inputs = parts.flatMap(({ pointer, text, encoding }): FilePlace[] =>
    encoding === 'file' && text !== undefined && isId('file', text) ? [{ pointer, id: text, purpose: 'input' }] : [],
  );
  const ofCheck = check !== undefined && 'run' in check ? toFiles(check.files ?? [], '/check/files') : [];
  return [...toFiles(files, '/files'), ...inputs, ...ofCheck];
}
