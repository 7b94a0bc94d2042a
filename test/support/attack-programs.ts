/**
 * Compiles the hostile programs of test/sandbox/programs into one static program that is told by its first word which of them to be.
 * Never runs one on the host. The result is kept in the temporary folder under the digest of everything it was made from.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Where the programs are. */
export const programsFolder = new URL('../sandbox/programs', import.meta.url).pathname;

const settings = ['-O1', '-g0', '-w', '-std=gnu17', '-D_GNU_SOURCE', '-pthread', '-I', programsFolder];
const AT_ONCE = 2;

/** Names of all programs, as `<theme>/<name>`. */
export function attackNames(): string[] {
  return globSync('*/*.c', { cwd: programsFolder })
    .map((path) => path.slice(0, -2))
    .sort();
}

/** What a program tries: its first comment. */
export function intentOf(name: string): string {
  const [, intent] = /^\/\*\n \* (.*)\n/.exec(readFileSync(join(programsFolder, `${name}.c`), 'utf8')) ?? [];
  if (intent === undefined) throw new Error(`${name}.c does not say what it tries`);
  return intent;
}

/** The program that holds them all, by this compiler; made elsewhere where ENVICUTOR_TEST_ATTACKS names it (a guest has no time to compile). */
export async function compileAttacks(compiler = 'gcc'): Promise<Buffer> {
  const made = process.env['ENVICUTOR_TEST_ATTACKS'];
  if (made !== undefined) return readFileSync(made);
  const names = attackNames();
  const texts = [...names.map((name) => `${name}.c`), 'attack.h'].map((path) =>
    readFileSync(join(programsFolder, path)),
  );
  const digest = createHash('sha256').update(compiler);
  for (const text of [...texts, readFileSync(import.meta.filename)]) digest.update(text);
  const kept = join(tmpdir(), `envicutor-attacks-${process.getuid?.()}`);
  const path = join(kept, digest.digest('hex'));
  if (existsSync(path)) return readFileSync(path);
  mkdirSync(kept, { recursive: true, mode: 0o700 });
  const folder = mkdtempSync(join(kept, 'making-'));
  try {
    await compileAll(compiler, names, folder);
    renameSync(join(folder, 'attacks'), path);
  } finally {
    rmSync(folder, { recursive: true });
  }
  return readFileSync(path);
}

const symbol = (name: string): string => `attack_${name.replaceAll(/[^a-z0-9]/g, '_')}`;

async function compileAll(compiler: string, names: readonly string[], folder: string): Promise<void> {
  const waiting = [...names];
  const compileSome = async (): Promise<void> => {
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      const source = join(programsFolder, `${name}.c`);
      await run(compiler, [
        ...settings,
        `-Dmain=${symbol(name)}`,
        '-c',
        source,
        '-o',
        join(folder, `${symbol(name)}.o`),
      ]);
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: AT_ONCE }, compileSome));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  const start = join(folder, 'start.c');
  writeFileSync(start, startSource(names));
  const objects = names.map((name) => join(folder, `${symbol(name)}.o`));
  await run(compiler, [...settings, '-static', '-o', join(folder, 'attacks'), start, ...objects]);
}

function startSource(names: readonly string[]): string {
  return `#include <string.h>
${names.map((name) => `int ${symbol(name)}(int, char **);`).join('\n')}
int main(int count, char **words) {
  if (count < 2) return 99;
${names.map((name) => `  if (!strcmp(words[1], "${name}")) return ${symbol(name)}(count - 1, words + 1);`).join('\n')}
  return 98;
}
`;
}
