/**
 * Owns turning a C source of bench/ into a static program, once per source and user.
 * Never compiles what the cache holds already; the key is the source, so a changed source is another program.
 * Invariant: a program that is visible in the cache is complete.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { digestHex, digestOf } from '../../shared/digest.ts';

/** Where programs and rivals are kept for this user. */
export const cacheFolder = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'envicutor');

/** The path of the program compiled from `source`, a path relative to bench/; throws with gcc's words. */
export function compiledProgram(source: string): string {
  const path = join(import.meta.dirname, '..', source);
  const name = basename(source, '.c');
  const folder = join(cacheFolder, 'bench', digestHex(digestOf(readFileSync(path))).slice(0, 16));
  const program = join(folder, name);
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  const unfinished = `${program}.${process.pid}`;
  const settings = ['-O2', '-std=gnu17', '-Wall', '-Wextra', '-Werror', '-static', '-pthread', '-o', unfinished, path];
  const gcc = spawnSync('gcc', settings, { encoding: 'utf8' });
  if (gcc.status !== 0) throw new Error(`${source} did not compile: ${gcc.stderr}`);
  renameSync(unfinished, program);
  return program;
}
