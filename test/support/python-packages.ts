/**
 * Owns Python programs that tests ask: an environment of their own below the user's cache, made once for one list of packages and found again by its
 * digest. Never touches the machine's Python. Invariant: every package is the one of the list, digest by digest.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { digestHex, digestOf } from '../../shared/digest.ts';

const run = promisify(execFile);
const INSTALL_MS_MAX = 300_000;

/** The folder of programs that the packages of this list have. */
export async function pythonPrograms(list: string): Promise<string> {
  const path = join(import.meta.dirname, list);
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'envicutor', 'python');
  const { stdout: version } = await run('python3', ['--version']);
  const place = join(cache, digestHex(digestOf(`${version}${await readFile(path, 'utf8')}`)).slice(0, 32));
  if (!existsSync(join(place, 'complete'))) await install(path, place);
  return join(place, 'bin');
}

/** Programs of an environment name their own path, so it is made where it stays; whoever began it and did not end is replaced. */
async function install(list: string, place: string): Promise<void> {
  await mkdir(dirname(place), { recursive: true });
  const mark = await mkdtemp(`${place}.`);
  try {
    await rm(place, { recursive: true, force: true });
    await run('python3', ['-m', 'venv', place], { timeout: INSTALL_MS_MAX });
    const words = ['install', '--quiet', '--disable-pip-version-check', '--no-deps', '--require-hashes', '-r', list];
    await run(join(place, 'bin', 'pip'), words, { timeout: INSTALL_MS_MAX });
    await rename(mark, join(place, 'complete'));
  } finally {
    await rm(mark, { recursive: true, force: true });
  }
}
