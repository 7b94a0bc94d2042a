/**
 * Owns a real PostgreSQL for tests and benchmarks: the installed server's programs on a free loopback port, with a random password and a folder of
 * its own, as Debian configures it (fsync and all). Never touches a cluster of the machine.
 * Never outlives its test: stopped by its pid, and killed by the kernel when the test's process dies first.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, globSync, openSync, readFileSync } from 'node:fs';
import { chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '../local/private-instance.ts';

const run = promisify(execFile);
const READY_MS_MAX = 60_000;
const ATTEMPTS_MAX = 3;

/** A running PostgreSQL with an empty database. */
export interface PostgresServer {
  /** With the password of its only user, who may do everything. */
  readonly url: string;
  readonly password: string;
  readonly folder: string;
  /** Of the first process. */
  readonly pid: number;
  /** Makes another empty database and returns its URL. */
  createDatabase(name: string): Promise<string>;
  /** Runs SQL as psql does, with its own connection. */
  psql(sql: string, database?: string): Promise<string>;
  /** Kills every process of it and keeps what it has; nobody listens on its port then. May be called again. */
  kill(): Promise<void>;
  /** Starts it again after a `kill` or its own end, on the same port and folder; resolves when it answers. */
  revive(): Promise<void>;
  /** `kill` and `revive`: what was not durable is lost. */
  restart(): Promise<void>;
  /** Stops every process of it in its tracks: connections stay and nobody answers. */
  pause(): void;
  resume(): void;
  /** Ends the server and removes its folder; may be called again. */
  stop(): Promise<void>;
}

interface Place {
  readonly bin: string;
  readonly folder: string;
  readonly port: number;
  /** What a program of the server is started by: PostgreSQL refuses root. */
  readonly prefix: readonly string[];
}

/** The folder of the newest server's programs. */
function findPrograms(): string {
  const versionOf = (path: string) => Number(/\/(\d+)\/bin\/postgres$/.exec(path)?.[1] ?? 0);
  const [newest] = globSync('/usr/lib/postgresql/*/bin/postgres').sort((a, b) => versionOf(b) - versionOf(a));
  if (newest === undefined) {
    throw new Error(
      `there is no PostgreSQL in /usr/lib/postgresql; install Debian's package postgresql ('make test' does)`,
    );
  }
  return newest.slice(0, -'/postgres'.length);
}

/** As whom the server runs: Debian's user when we are root, else we. */
async function findUser(): Promise<{ readonly uid: number; readonly gid: number } | null> {
  if (process.getuid?.() !== 0) return null;
  const [uid, gid] = await Promise.all(
    ['-u', '-g'].map(async (flag) => Number((await run('id', [flag, 'postgres'])).stdout)),
  );
  return { uid: uid as number, gid: gid as number };
}

/** Starts one with its folder below this one; about two seconds. */
export async function startPostgresServer(parent = tmpdir()): Promise<PostgresServer> {
  const bin = findPrograms();
  const user = await findUser();
  const folder = await mkdtemp(join(parent, 'envicutor-postgres-'));
  const password = randomBytes(16).toString('hex');
  const passwordFile = join(folder, 'password');
  await writeFile(passwordFile, password);
  if (user !== null) for (const path of [folder, passwordFile]) await chown(path, user.uid, user.gid);
  const identity = user === null ? [] : [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'];
  const prefix = ['setpriv', ...identity, '--pdeathsig', 'KILL'];
  try {
    const options = ['-D', join(folder, 'data'), '-U', 'envicutor', '--pwfile', passwordFile, '--auth=scram-sha-256'];
    await runProgram(prefix, bin, 'initdb', [...options, '--encoding=UTF8', '--locale=C', '--no-sync']);
    return await startIn({ bin, folder, prefix }, password);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function runProgram(
  prefix: readonly string[],
  bin: string,
  name: string,
  parameters: readonly string[],
  env = {},
) {
  const [command = '', ...rest] = [...prefix, join(bin, name), ...parameters];
  return (await run(command, rest, { env: { PATH: '/usr/bin:/bin', ...env } })).stdout;
}

/** Somebody may take the port between our looking and its listening: then another one is tried. */
async function startIn(where: Omit<Place, 'port'>, password: string): Promise<PostgresServer> {
  for (let attempt = 1; ; attempt += 1) {
    const place = { ...where, port: await freePort() };
    const child = spawnServer(place);
    try {
      await untilReady(place, child);
      return toServer(place, child, password);
    } catch (error) {
      await killAll(child);
      if (attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

function toServer(place: Place, first: ChildProcess, password: string): PostgresServer {
  let child = first;
  let resume = () => {};
  const urlOf = (database: string) => `postgres://envicutor:${password}@127.0.0.1:${place.port}/${database}`;
  const psql = (sql: string, database = 'postgres') =>
    runProgram(place.prefix, place.bin, 'psql', [
      '-X',
      '-At',
      '-v',
      'ON_ERROR_STOP=1',
      '-d',
      urlOf(database),
      '-c',
      sql,
    ]);
  const kill = () => killAll(child);
  const revive = async () => {
    child = spawnServer(place);
    await untilReady(place, child);
  };
  return {
    url: urlOf('postgres'),
    password,
    folder: place.folder,
    pid: child.pid ?? 0,
    createDatabase: async (name) => {
      await psql(`CREATE DATABASE ${name}`);
      return urlOf(name);
    },
    psql,
    kill,
    revive,
    restart: async () => {
      await kill();
      await revive();
    },
    pause: () => {
      resume();
      resume = pause(child);
    },
    resume: () => resume(),
    stop: async () => {
      resume();
      await quit(child);
      await rm(place.folder, { recursive: true, force: true });
    },
  };
}

function spawnServer({ bin, folder, port, prefix }: Place): ChildProcess {
  const parameters = ['-D', join(folder, 'data'), '-p', String(port), '-k', folder];
  // In the folder, where nothing is left behind.
  const settings = ['listen_addresses=127.0.0.1', 'dynamic_shared_memory_type=mmap'].flatMap((setting) => [
    '-c',
    setting,
  ]);
  const [command = '', ...rest] = [...prefix, join(bin, 'postgres'), ...parameters, ...settings];
  // It writes there itself, and does without when there is no room.
  const log = openSync(join(folder, 'log'), 'a');
  const child = spawn(command, rest, { stdio: ['ignore', log, log], env: { PATH: '/usr/bin:/bin' } });
  closeSync(log);
  return child;
}

/** It writes `ready` into its pid file when it takes connections; and somebody must answer on the port. */
async function untilReady({ folder, port }: Place, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + READY_MS_MAX;
  while (performance.now() < deadline && child.exitCode === null && child.signalCode === null) {
    const pidFile = await readFile(join(folder, 'data/postmaster.pid'), 'utf8').catch(() => '');
    if (pidFile.startsWith(`${child.pid}\n`) && /^ready\s*$/m.test(pidFile) && (await isListening(port))) return;
    await delay(20);
  }
  throw new Error(`PostgreSQL did not become ready:\n${await readFile(join(folder, 'log'), 'utf8').catch(() => '')}`);
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const isThere = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  return isThere;
}

const isRunning = (child: ChildProcess) =>
  child.pid !== undefined && child.exitCode === null && child.signalCode === null;

/** The server's process and its children: each connection has one. */
function processesOf(child: ChildProcess): number[] {
  const { pid } = child;
  if (pid === undefined || !isRunning(child)) return [];
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return [pid, ...children.split(' ').filter(Boolean).map(Number)];
  } catch {
    return [pid];
  }
}

function signalAll(child: ChildProcess, signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): void {
  for (const pid of processesOf(child)) {
    try {
      process.kill(pid, signal);
    } catch {
      // It ended by itself since.
    }
  }
}

/** Returns what ends the pause. When this process dies the pause ends, too: processes that are stopped would not notice that the first one is gone. */
function pause(child: ChildProcess): () => void {
  const pids = processesOf(child).map(String);
  const guard = spawn('sh', ['-c', 'read -r _; kill -s CONT "$@"', 'sh', ...pids], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  signalAll(child, 'SIGSTOP');
  return () => {
    guard.stdin.end();
    signalAll(child, 'SIGCONT');
  };
}

/** Ends it at once, but by itself: so it leaves no shared memory behind. */
async function quit(child: ChildProcess): Promise<void> {
  if (!isRunning(child)) return;
  const ended = once(child, 'exit');
  child.kill('SIGQUIT');
  await ended;
}

async function killAll(child: ChildProcess): Promise<void> {
  if (!isRunning(child)) return;
  const ended = once(child, 'exit');
  // The first one is stopped before it can start more.
  if (child.pid !== undefined) process.kill(child.pid, 'SIGSTOP');
  const pids = processesOf(child);
  signalAll(child, 'SIGKILL');
  await ended;
  while (pids.some(isAlive)) await delay(5);
}

/** Our own child is reaped by us; the others go to init, whose zombies count as ended. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
