/**
 * Starts the command line as a shell does, with a home of its own, and gives what came of it. Never asks anybody itself.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';

/** The program, as a checkout has it. */
export const cliProgram = join(import.meta.dirname, '../../client/cli/main.ts');

/** What came of a command. */
export interface CommandEnd {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly bytes: Buffer;
}

/** A folder to work in, and a home, for commands that ask one coordinator. */
export class CommandLine {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'envicutor-cli-'));
  readonly variables: Record<string, string>;

  constructor(test: { after(ending: () => unknown): unknown }, variables: Readonly<Record<string, string>>) {
    test.after(() => rmSync(this.folder, { recursive: true }));
    const { PATH = '' } = process.env;
    // Compiled once for all: what is started is what a person starts for the second time.
    const cache = join(tmpdir(), 'envicutor-cli-compiled');
    this.variables = { PATH, HOME: join(this.folder, 'home'), NODE_COMPILE_CACHE: cache, ...variables };
  }

  write(files: Readonly<Record<string, string | Buffer>>): void {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(this.folder, path)), { recursive: true });
      writeFileSync(join(this.folder, path), content);
    }
  }

  start(words: readonly string[], stdin: 'ignore' | 'pipe' = 'ignore'): ChildProcess {
    return spawn(process.execPath, [cliProgram, ...words], {
      ...{ cwd: this.folder, env: this.variables },
      stdio: [stdin, 'pipe', 'pipe'],
    });
  }

  async run(words: readonly string[], stdin?: string | Buffer): Promise<CommandEnd> {
    const child = this.start(words, stdin === undefined ? 'ignore' : 'pipe');
    child.stdin?.on('error', () => undefined).end(stdin);
    return await ended(child);
  }
}

/** The end of a command that was started. */
export async function ended(child: ChildProcess): Promise<CommandEnd> {
  if (child.stdout === null || child.stderr === null) throw new Error('the command has no pipes');
  const [bytes, stderr, [code]] = await Promise.all([buffer(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: code as number | null, stdout: bytes.toString(), stderr, bytes };
}
