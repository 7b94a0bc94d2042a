/**
 * Owns a real MinIO for tests and benchmarks: built by ops/minio/build.sh when this user has none yet (minutes, once), started on a random
 * loopback port with random credentials and a folder of its own, prepared like an operator's.
 * Never outlives its test: stopped by its pid, and killed by the kernel when the test's process dies first.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { StoreCredentials } from '../../shared/storage/request-signature.ts';
import { freePort } from '../local/private-instance.ts';
import { createCredentials, provisionMinio, type StoreUsers } from './provision.ts';

const READY_MS_MAX = 60_000;
const ATTEMPTS_MAX = 3;

/** A running MinIO with one bucket (versions, object lock) and its three users. */
export interface MinioServer extends StoreUsers {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly root: StoreCredentials;
  readonly folder: string;
  readonly pid: number;
  /** Kills the server and keeps what it has; nobody listens on its port then. May be called again. */
  kill(): Promise<void>;
  /** Starts it again after a `kill`, on the same port and folder; resolves when it answers. */
  revive(): Promise<void>;
  /** Ends the server and removes its folder; may be called again. */
  stop(): Promise<void>;
}

/** Starts one that listens on this address of the machine; about a second when the binary is there already. */
export async function startMinioServer(bucket = 'envicutor', host = '127.0.0.1'): Promise<MinioServer> {
  const binary = await buildMinio();
  const folder = await mkdtemp(join(tmpdir(), 'envicutor-minio-'));
  const root = createCredentials();
  const { endpoint, port, ...started } = await spawnLiveServer(binary, folder, host, root);
  let { child } = started;
  const end = async (signal: 'SIGTERM' | 'SIGKILL') => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  };
  const kill = () => end('SIGKILL');
  const revive = async () => {
    const spawned = spawnServer(binary, folder, `${host}:${port}`, root);
    child = spawned.child;
    await untilLive(endpoint, child, spawned.output);
  };
  const stop = async () => {
    await end('SIGTERM');
    await rm(folder, { recursive: true, force: true });
  };
  const users = { reader: createCredentials(), writer: createCredentials(), purger: createCredentials() };
  const region = 'us-east-1';
  try {
    await provisionMinio({ endpoint, region, root, bucket, users, retentionDays: 7 });
  } catch (error) {
    await stop();
    throw error;
  }
  return { endpoint, region, bucket, root, folder, pid: child.pid ?? 0, ...users, kill, revive, stop };
}

/** The path of the binary, built now if need be; the script's progress goes to standard error. */
async function buildMinio(): Promise<string> {
  const script = join(import.meta.dirname, 'build.sh');
  const running = promisify(execFile)(script);
  running.child.stderr?.pipe(process.stderr, { end: false });
  return (await running).stdout.trim();
}

/** Somebody may take the port between our looking and its listening: then another one is tried. */
async function spawnLiveServer(
  binary: string,
  folder: string,
  host: string,
  root: StoreCredentials,
): Promise<{ readonly endpoint: string; readonly port: number; readonly child: ChildProcess }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const address = `${host}:${port}`;
    const endpoint = `http://${address}`;
    const { child, output } = spawnServer(binary, folder, address, root);
    try {
      await untilLive(endpoint, child, output);
      return { endpoint, port, child };
    } catch (error) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      } else if (attempt < ATTEMPTS_MAX) continue;
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }
}

function spawnServer(binary: string, folder: string, address: string, root: StoreCredentials) {
  const command = [binary, 'server', join(folder, 'data'), '--address', address];
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: '/usr/bin:/bin',
      HOME: folder,
      MINIO_ROOT_USER: root.accessKey,
      MINIO_ROOT_PASSWORD: root.secretKey,
      MINIO_BROWSER: 'off',
      MINIO_UPDATE: 'off',
    },
  });
  const output: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => output.push(chunk));
  return { child, output };
}

async function untilLive(endpoint: string, child: ChildProcess, output: readonly Buffer[]): Promise<void> {
  const deadline = performance.now() + READY_MS_MAX;
  while (performance.now() < deadline && child.exitCode === null && child.signalCode === null) {
    const answer = await fetch(`${endpoint}/minio/health/cluster`).catch(() => null);
    if (answer?.ok) return;
    await delay(50);
  }
  throw new Error(`MinIO did not become ready:\n${Buffer.concat(output)}`);
}
