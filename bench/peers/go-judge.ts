/**
 * Owns a go-judge of this machine while a scenario asks it: started on a free port of loopback with its default settings, asked over HTTP, stopped.
 * Never uses mount.yaml or seccomp.yaml of anybody: its working directory is its own. Invariant: stop() ends the process that start() began, and a question
 * to one that has ended says how it did.
 */
import { basename } from 'node:path';
import { Pool } from 'undici';
import { freePort } from '../../ops/local/private-instance.ts';
import type { AbsentRival } from '../recording/recording.ts';
import { removeCgroups } from './own-cgroups.ts';
import { locate, presenceOf, type Rival, versionOf } from './peer.ts';
import { PeerProcess } from './peer-process.ts';

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
  /** Bytes at the most. */
  readonly memory: number;
  readonly files: { readonly stdout: string };
  readonly fileIds?: Readonly<Record<string, string>>;
}

/** Its defaults, but for where it listens, what it logs, and control groups of its own, so that none of it stays. */
const parametersOf = (port: number | string, cgroup: string) => [
  ...['-http-addr', `127.0.0.1:${port}`, '-release', '-silent', '-cgroup-prefix', cgroup],
];

/** The path of a go-judge that is on this machine or that the Go module proxy gives, or null. */
function findProgram(): string | null {
  const found = locate('go-judge');
  return 'why' in found ? null : found.path;
}

/** A running go-judge. */
export class GoJudge {
  readonly pool: Pool;
  readonly pid: number;
  readonly #process: PeerProcess;

  private constructor(process: PeerProcess, port: number) {
    this.#process = process;
    this.pid = process.pid;
    this.pool = new Pool(`http://127.0.0.1:${port}`, { connections: CONNECTIONS, pipelining: 1 });
  }

  /** Null when there is none on this machine. */
  static async start(program: string | null = findProgram()): Promise<GoJudge | null> {
    if (program === null) return null;
    const port = await freePort();
    // It reads mount.yaml and seccomp.yaml from its working directory when they exist.
    const judge = new GoJudge(
      PeerProcess.start('go-judge', (folder) => [program, ...parametersOf(port, basename(folder))]),
      port,
    );
    try {
      await judge.#process.ready(async () => (await judge.run({ args: ['/bin/true'] })).status === 'Accepted');
      return judge;
    } catch (error) {
      await judge.stop();
      throw error;
    }
  }

  /** How it ended, or null while it runs. */
  gone(): string | null {
    return this.#process.gone();
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
    const [result] = await this.#process.told(async () => {
      const answer = await this.pool.request({
        method: 'POST',
        path: '/run',
        body: JSON.stringify({ cmd: [cmd] }),
        headers: { 'content-type': 'application/json' },
      });
      const text = await answer.body.text();
      if (answer.statusCode !== 200) throw new Error(`go-judge: it answered with ${answer.statusCode}: ${text}`);
      return JSON.parse(text) as GoJudgeResult[];
    });
    if (result === undefined) throw new Error('go-judge: it answered without a result');
    return result;
  }

  async stop(): Promise<void> {
    await this.pool.destroy();
    await this.#process.stop('SIGTERM');
    await removeCgroups(basename(this.#process.folder));
  }
}

/** Milliseconds of one run, asked for over HTTP. */
export async function judgeRound(judge: GoJudge, argv: readonly string[]): Promise<number> {
  const from = performance.now();
  const { status } = await judge.run({ args: argv });
  if (status !== 'Accepted') throw new Error(`it answered '${status}'`);
  return performance.now() - from;
}

/** What a scenario says when there is none. */
export const noGoJudge: AbsentRival = {
  name: 'go-judge',
  why: 'not on this machine, and the registry has none (bench/peers/README.md)',
};

/** The rival. */
export const goJudge: Rival = {
  name: 'go-judge',
  find: (variables) =>
    presenceOf('go-judge', variables, (program) => ({
      version: program.source.startsWith('go module') ? program.source : versionOf(program, '-version'),
      settings: [
        ['go-judge', ...parametersOf('PORT', 'CGROUP')].join(' '),
        'POST /run of PROGRAM with cpuLimit 10 s, clockLimit 20 s, memoryLimit 512 MiB, procLimit 128, stdout and stderr collected up to 1 MiB; HTTP is in its figures',
      ],
    })),
  start: async ({ path }) => {
    const judge = await GoJudge.start(path);
    if (judge === null) throw new Error('it is not there any more');
    return {
      round: (argv) => judgeRound(judge, argv),
      stop: () => judge.stop(),
      gone: () => judge.gone(),
    };
  },
};
