/**
 * Owns the way of files between this machine and a sandbox's workspace: those that go in, and collected ones that come out.
 * Never follows a link, in either direction: what is below --directory must be regular files, and a link in the way is replaced.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { isPathInside } from '../../shared/sandbox/command.ts';
import type { CollectedOutput, CommandFile } from '../../shared/sandbox/embedded-sandbox.ts';
import type { Invocation } from './flags.ts';

/** The files that an invocation puts into the workspace; throws the Error of the first one that can't be read. */
export function readWorkspaceFiles({ files, directories }: Pick<Invocation, 'files' | 'directories'>): CommandFile[] {
  const found = directories.flatMap((directory) => listFiles(directory));
  return [...found, ...files].map(({ source, path }) => {
    const executable = (statSync(source).mode & 0o111) !== 0;
    return { path, content: readFileSync(source), executable };
  });
}

function listFiles(directory: string): { source: string; path: string }[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true }).flatMap((entry) => {
    const source = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) return [];
    if (!entry.isFile()) throw new Error(`'${source}' is no regular file: it can't be copied into the workspace`);
    return [{ source, path: relative(directory, source) }];
  });
}

/** Writes collected files below `into` and returns a sentence for each that could not be copied. */
export function writeCollectedFiles(into: string, files: readonly CollectedOutput[]): string[] {
  const problems: string[] = [];
  for (const { path, state, content, isExecutable } of files) {
    if (state === 'too-many') problems.push('more files match than may be collected');
    else if (content === null) problems.push(`'${path}' was not collected: ${state}`);
    else if (!isPathInside(path)) problems.push(`'${path}' was not collected: its path leads outside`);
    else write(join(into, path), content, isExecutable ? 0o755 : 0o644);
  }
  return problems;
}

/** A new file takes the old one's place, whatever that is. */
function write(path: string, content: Uint8Array, mode: number): void {
  mkdirSync(dirname(path), { recursive: true });
  const fresh = `${path}.envicutor-new`;
  rmSync(fresh, { force: true });
  writeFileSync(fresh, content, { flag: 'wx', mode });
  renameSync(fresh, path);
}
