/**
 * Owns what a release says about the commit that it is made from: its id, its time, and whether the checkout is still that.
 * Never changes the checkout.
 */
import { execFileSync } from 'node:child_process';

/** A commit, as a release names it. */
export interface Commit {
  /** Short, as the launcher says it. */
  readonly id: string;
  /** Seconds since 1970: the time of every file of the release. */
  readonly seconds: number;
  /** Something tracked or new is not as it was committed. */
  readonly isChanged: boolean;
}

/** Reads the commit of a clone; `epoch` is SOURCE_DATE_EPOCH, which wins over the commit's time. Throws a sentence where there is none. */
export function readCommit(root: string, epoch: string | undefined): Commit {
  const seconds = epoch ?? ask(root, 'log', '-1', '--format=%ct');
  if (!/^\d{1,11}$/.test(seconds)) {
    throw new Error(
      `SOURCE_DATE_EPOCH is '${seconds}', which is no number of seconds since 1970; leave it out or correct it`,
    );
  }
  const isChanged = ask(root, 'status', '--porcelain') !== '';
  return { id: ask(root, 'rev-parse', '--short=12', 'HEAD'), seconds: Number(seconds), isChanged };
}

/** Every file of the checkout that is tracked, or new and not ignored. */
export function listFiles(root: string): string[] {
  const said = ask(root, 'ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate');
  return said.split('\0').filter((path) => path !== '');
}

function ask(root: string, ...words: readonly string[]): string {
  try {
    return execFileSync('git', words, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 }).trimEnd();
  } catch (cause) {
    throw new Error(`git ${words.join(' ')} failed in ${root}: a release is made from a clone with git`, { cause });
  }
}
