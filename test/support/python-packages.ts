/**
 * Owns Python programs that tests ask: an environment of their own below the user's cache, made once for one list of packages and found again by its
 * digest. Never touches the machine's Python. Invariants: every package is the one of the list, digest by digest; of those who want the same environment
 * at the same time one makes it, and the others wait, whoever of them is killed.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
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
  const isThere = () => existsSync(join(place, 'complete'));
  if (!isThere()) {
    await mkdir(dirname(place), { recursive: true });
    await whileLocked(`${place}.lock`, async () => {
      if (!isThere()) await install(path, place);
    });
  }
  return join(place, 'bin');
}

/** Programs of an environment name their own path, so it is made where it stays; whoever began it and did not end is replaced. */
async function install(list: string, place: string): Promise<void> {
  await rm(place, { recursive: true, force: true });
  await run('python3', ['-m', 'venv', place], { timeout: INSTALL_MS_MAX });
  const words = ['install', '--quiet', '--disable-pip-version-check', '--no-deps', '--require-hashes', '-r', list];
  await run(join(place, 'bin', 'pip'), words, { timeout: INSTALL_MS_MAX });
  await writeFile(join(place, 'complete'), '');
}

/** Acts while nobody else holds the lock of this file; the kernel lets go of it when the one who holds it dies. */
export async function whileLocked(path: string, act: () => Promise<void>): Promise<void> {
  const holder = spawn('flock', [path, 'sh', '-c', 'echo held; exec cat > /dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(holder, 'exit');
  const held = await Promise.race([once(holder.stdout, 'data').then(() => true), ended.then(() => false)]);
  if (!held)
    throw new Error(`flock ended before it held ${path}: is util-linux installed, and is its folder writable?`);
  try {
    await act();
  } finally {
    holder.stdin.end();
    await ended;
  }
}
