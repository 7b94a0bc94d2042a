/**
 * Owns the compiled program of a release and the packages of others that it runs with: a copy of the checkout's sources, its JavaScript, npm's packages.
 * Never writes into the checkout.
 * Invariant: what is not in the lock for production is not fetched, and no package's script runs.
 */
import { execFile } from 'node:child_process';
import { copyFileSync, globSync, mkdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { listFiles } from './commit.ts';

const run = promisify(execFile);

/** What a release is made of, besides the files of the root. */
const rooms =
  /^(shared|agent|coordinator|client|docs|man|ops\/systemd|ops\/environments)\/|^ops\/(install-agent|RUNBOOK\.md)$|^[^/]+$/;

/** Copies what git knows of the checkout, as it is now. */
export function copySources(root: string, folder: string): void {
  const files = listFiles(root).filter((path) => rooms.test(path) && isFile(join(root, path)));
  copyFolder(root, files, folder);
}

const isFile = (path: string) => statSync(path, { throwIfNoEntry: false })?.isFile() === true;

/** Copies these files, and nothing else, into another folder. */
export function copyFolder(from: string, files: readonly string[], to: string): void {
  for (const path of files) {
    mkdirSync(dirname(join(to, path)), { recursive: true });
    copyFileSync(join(from, path), join(to, path));
  }
}

/** The files below a folder that patterns, such as those of package.json's `files`, stand for. */
export function filesMatching(folder: string, patterns: readonly string[]): string[] {
  return globSync([...patterns], { cwd: folder }).filter((path) => isFile(join(folder, path)));
}

/** The same files at another place of the same file system, which nobody changes any more. */
export async function linkFolder(from: string, to: string): Promise<void> {
  await run('cp', ['--archive', '--link', from, to]);
}

/** Compiles the copied sources into dist/, with the checkout's compiler and types. */
export async function compileProgram(root: string, sources: string): Promise<void> {
  symlinkSync(join(root, 'node_modules'), join(sources, 'node_modules'));
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const parts = ['agent', 'coordinator', 'client'];
  await run(process.execPath, [compiler, '--build', ...parts], { cwd: sources }).catch(({ stdout, stderr }) => {
    throw new Error(`the sources don't compile; repair what make check says:\n${stdout}${stderr}`);
  });
}

/** Fetches the packages that run in production, each held by npm against the lock's integrity. */
export async function fetchPackages(sources: string, folder: string): Promise<void> {
  copyFolder(sources, ['package.json', 'package-lock.json', '.npmrc'], folder);
  const without = ['--omit=dev', '--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund'];
  await run('npm', ['ci', ...without, '--prefer-offline', '--loglevel=error'], { cwd: folder });
  // npm's own notes: where it fetched from, which is this machine's affair, and links to programs that nobody calls.
  for (const own of ['.package-lock.json', '.bin'])
    rmSync(join(folder, 'node_modules', own), { recursive: true, force: true });
}
