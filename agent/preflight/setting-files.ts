/**
 * Owns settings of the kernel that are files with one value: what is wanted in which, and what that makes of a machine. Never writes one.
 * Invariant: of a list such as `always [madvise] never` the value is the chosen one, so that it can be written back.
 */
import type { Machine } from './machine.ts';
import { type Finding, ok, untold, wrong } from './requirement.ts';

/** One file and what is wanted in it. */
export interface WantedFile {
  /** Shown in findings: what tells this file from its neighbours. */
  readonly name: string;
  readonly path: string;
  readonly isRight: (value: string) => boolean;
  /** What makes it right; null: nothing that could be written. */
  readonly value: string | null;
}

const SHOWN_MAX = 4;

/** A file in which one of these values is wanted; the first is the one to write. */
export function wantedFile(path: string, values: readonly [string, ...string[]], name?: string): WantedFile {
  const isRight = (value: string) => values.includes(value);
  return { name: name ?? path.slice(path.lastIndexOf('/') + 1), path, isRight, value: values[0] };
}

/** The value that the file holds; null when it can't be read. */
export function readSetting(machine: Machine, path: string): string | null {
  const text = machine.read(path)?.trim();
  return text === undefined ? null : (/\[([^\]]*)\]/.exec(text)?.[1] ?? text);
}

/** Are they all right? Files that are not there are no files of this machine; when none is, nothing is known. */
export function lookAtFiles(machine: Machine, files: readonly WantedFile[]): Finding {
  const read = files.flatMap((file) => {
    const value = readSetting(machine, file.path);
    return value === null ? [] : [{ ...file, value }];
  });
  if (read.length === 0) return untold;
  const bad = read.filter(({ isRight, value }) => !isRight(value));
  return bad.length === 0 ? ok(describe(read)) : wrong(describe(bad));
}

function describe(files: readonly { readonly name: string; readonly value: string }[]): string {
  const [first] = files;
  if (first !== undefined && files.every(({ value }) => value === first.value))
    return files.length === 1 ? first.value : `${first.value} (${files.length})`;
  const shown = files.slice(0, SHOWN_MAX).map(({ name, value }) => `${name}=${value}`);
  const rest = files.length - shown.length;
  return `${shown.join(' ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}
