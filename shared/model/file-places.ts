/**
 * Owns where a request names files that were sent before: every place, by its pointer. Pure; the one list of such places, for whoever resolves, holds or
 * refuses them.
 */
import { type FileId, isId } from '../ids.ts';
import type { ExecutionRequest } from './execution.ts';

/** A place of a request that names a file; `purpose`: is its content a file of the workspace, or an input? */
export interface FilePlace {
  readonly pointer: string;
  readonly id: FileId;
  readonly purpose: 'workspace' | 'input';
}

/** Every place of a request that names a file; the request was checked before. */
export function findFilePlaces({ files = [], run }: ExecutionRequest): FilePlace[] {
  const places: FilePlace[] = [];
  for (const [index, file] of files.entries()) {
    if ('file' in file) places.push({ pointer: `/files/${index}/file`, id: file.file, purpose: 'workspace' });
  }
  const { stdin = '', stdinEncoding } = run;
  if (stdinEncoding === 'file' && isId('file', stdin))
    places.push({ pointer: '/run/stdin', id: stdin, purpose: 'input' });
  return places;
}
