/**
 * Owns a go-judge of this machine while a scenario asks it: found, started on a free port of loopback with its default settings, stopped.
 * Never installs one (bench/README.md says why). Invariant: stop() ends the process that start() began.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Pool } from 'undici';
import { freePort } from '../../ops/local/private-instance.ts';
import { cacheFolder } from '../compiled-program.ts';
import type { AbsentRival } from '../recording.ts';

const PATIENCE_MS = 10_000;
/** More than any scenario has under way. */
const CONNECTIONS = 64;

/** What go-judge is asked for one run; durations in nanoseconds. */
export interface GoJudgeCommand {
  readonly args: readonly string[];
  readonly cpuLimit: number;
  readonly clockLimit: number;
  readonly memoryLimit: number;
  /** Files for its working directory: a path of this machine, or what an earlier run left in its store. */
  readonly copyIn: Readonly<Record<string, { readonly src: string } | { readonly fileId: string }>>;
  readonly copyOutCached: readonly string[];
}

/** What it answers; durations in nanoseconds, `time` is processor time. */
export interface GoJudgeResult {
  readonly status: string;
  readonly time: number;
  readonly runTime: number;
  /** Bytes. */
  readonly memory: number;
  readonly files: { readonly stdout: string };
  readonly fileIds?: Readonly<Record<string, string>>;
}

/** The path of a go-judge that somebody put on this machine, or null. */
function findProgram(): string | null {
  const cached = join(cacheFolder, 'peers/go-judge/go-judge');
  if (existsSync(cached)) return cached;
  const found = spawnSync('sh', ['-c', 'command -v go-judge'], { encoding: 'utf8' });
  return found.status === 0 ? found.stdout.trim() : null;
}

/** A running go-judge. */
export class GoJudge {
  readonly pool: Pool;
  readonly pid: number;
  readonly #process: ChildProcess;
  readonly #folder: string;

  private constructor(process: ChildProcess, folder: string, port: number) {
    this.#process = process;
    this.#folder = folder;
    this.pid = process.pid ?? 0;
    this.pool = new Pool(`http://127.0.0.1:${port}`, { connections: CONNECTIONS, pipelining: 1 });
  }

  /** Null when there is none on this machine. */
  static async start(): Promise<GoJudge | null> {
    const program = findProgram();
    if (program === null) return null;
    const port = await freePort();
    // A working directory of its own: it reads mount.yaml and seccomp.yaml from there when they exist.
    const folder = mkdtempSync(join(tmpdir(), 'envicutor-go-judge-'));
    const child = spawn(program, ['-http-addr', `127.0.0.1:${port}`, '-release', '-silent'], {
      cwd: folder,
      stdio: 'ignore',
    });
    const judge = new GoJudge(child, folder, port);
    const until = performance.now() + PATIENCE_MS;
    for (;;) {
      const ready = await judge.run({ args: ['/bin/true'] }).catch(() => null);
      if (ready?.status === 'Accepted') return judge;
      if (child.exitCode !== null || performance.now() > until)
        throw new Error(`go-judge does not serve: ${JSON.stringify(ready)}`);
      await pause(20);
    }
  }

  /** One run through `POST /run`. */
  async run(command: Partial<GoJudgeCommand> & Pick<GoJudgeCommand, 'args'>): Promise<GoJudgeResult> {
    const collector = { max: 1_048_576 };
    const cmd = {
      env: ['PATH=/usr/bin:/bin'],
      files: [{ content: '' }, { name: 'stdout', ...collector }, { name: 'stderr', ...collector }],
      cpuLimit: 10_000_000_000,
      clockLimit: 20_000_000_000,
      memoryLimit: 512 * 1024 * 1024,
      procLimit: 128,
      ...command,
    };
    const answer = await this.pool.request({
      method: 'POST',
      path: '/run',
      body: JSON.stringify({ cmd: [cmd] }),
      headers: { 'content-type': 'application/json' },
    });
    const [result] = (await answer.body.json()) as GoJudgeResult[];
    if (result === undefined) throw new Error('go-judge answered without a result');
    return result;
  }

  async stop(): Promise<void> {
    await this.pool.close();
    if (this.#process.exitCode === null) {
      this.#process.kill('SIGTERM');
      await once(this.#process, 'exit');
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Milliseconds of one /bin/true, asked for over HTTP. */
export async function judgeTrue(goJudge: GoJudge): Promise<number> {
  const from = performance.now();
  const { status } = await goJudge.run({ args: ['/bin/true'] });
  if (status !== 'Accepted') throw new Error(`go-judge says ${status}`);
  return performance.now() - from;
}

/** What a scenario says when there is none. */
export const noGoJudge: AbsentRival = {
  name: 'go-judge',
  why: 'not on this machine, left out (bench/README.md says how to have it measured)',
};
