/**
 * Owns the launchers of a release: static, stripped, without a path of this machine, for each architecture by Debian's compiler for it.
 * Never knows how the launcher is put together: its Makefile does.
 */
import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Architecture, compilers } from './architectures.ts';
import type { Commit } from './commit.ts';

const run = promisify(execFile);

/** Where launchers are in a package, each in a folder linux-<architecture>; shared/sandbox/launcher-process.ts looks there. */
export const PREBUILT = 'prebuilt';

/** Compiles the launcher of the copied sources into their prebuilt/. */
export async function buildLauncher(sources: string, architecture: Architecture, commit: Commit): Promise<void> {
  const folder = join(sources, 'shared/sandbox/launcher');
  const build = `build/${architecture}`;
  const compiler = compilers[architecture];
  const settings = [`BUILD=${build}`, `CC=${compiler}`, `COMMIT=${commit.id}`, 'CFLAGS=-O2', 'LDFLAGS=-s'];
  await run('make', ['--silent', '--no-print-directory', '-C', folder, ...settings]).catch(({ stdout, stderr }) => {
    throw new Error(`the launcher does not compile for ${architecture} by ${compiler}:\n${stdout}${stderr}`);
  });
  const place = join(sources, PREBUILT, `linux-${architecture}`);
  mkdirSync(place, { recursive: true });
  copyFileSync(join(folder, build, 'envicutor-launcher'), join(place, 'envicutor-launcher'));
}

/** A system package whose code is part of the launcher. */
export interface LinkedLibrary {
  readonly name: string;
  readonly version: string;
}

/** The C library that is linked into an architecture's launcher, as the system's packages call it. */
export async function librariesOf(architecture: Architecture): Promise<LinkedLibrary[]> {
  const compiler = compilers[architecture];
  const archive = (await run(compiler, ['-print-file-name=libc.a'])).stdout.trim();
  const owner = (await run('dpkg-query', ['--search', realpathSync(archive)])).stdout.split(': ')[0] ?? '';
  const { stdout } = await run('dpkg-query', ['--show', owner]);
  const [name = '', version = ''] = stdout.trimEnd().split('\t');
  return [{ name: name.split(':')[0] ?? '', version }];
}
