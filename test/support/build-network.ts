/**
 * Owns a build network for tests: the real proxy process on sockets of a fresh network namespace, and clients run inside that namespace
 * with the files and variables that a build gets. Root is needed.
 * Never touches the host's own files: what is mounted is mounted in mount namespaces of the processes concerned.
 * Invariant: `stop` leaves no process and no file.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import {
  buildNetworkVariables,
  buildSystemFiles,
  createBuildAuthority,
} from '../../coordinator/egress/build-certificates.ts';
import {
  defaultEgressPolicy,
  defaultEgressQuotas,
  type EgressConfig,
  type EgressPolicy,
  type EgressQuotas,
  type EgressRecord,
} from '../../shared/model/egress.ts';

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

/** How a command ended that ran inside the build network. */
export interface CommandEnd {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running build network. */
export interface BuildNetwork {
  readonly records: readonly EgressRecord[];
  /** Runs a command inside, with `/bin/sh -c` semantics when one string is given. */
  run(command: readonly string[] | string, variables?: Readonly<Record<string, string>>): Promise<CommandEnd>;
  /** Ends the proxy in order and returns all its records and its exit code. */
  stop(): Promise<{ readonly exitCode: number | null; readonly records: readonly EgressRecord[] }>;
}

/** What differs from the defaults; `hosts` is what the proxy's side finds in /etc/hosts. */
export interface BuildNetworkOptions {
  readonly policy?: Partial<EgressPolicy>;
  readonly quotas?: Partial<EgressQuotas>;
  readonly caBundlePath?: string;
  readonly upstreamProxy?: string;
  readonly hosts?: string;
}

async function startProxy(config: EgressConfig, hostsPath: string | null): Promise<[ChildProcess, number]> {
  const mount = hostsPath === null ? 'true' : `mount --bind '${hostsPath}' /etc/hosts`;
  const proxy = spawn(
    'python3',
    [
      path('./network-namespace.py'),
      'unshare',
      '--mount',
      'sh',
      '-ec',
      `${mount}; exec "$@"`,
      'sh',
      process.execPath,
      path('../../coordinator/egress/main.ts'),
    ],
    { stdio: ['pipe', 'pipe', 'pipe'], env: { PATH: process.env['PATH'] } },
  );
  const failure: string[] = [];
  const holder = new Promise<number>((resolve, reject) => {
    createInterface({ input: proxy.stderr }).on('line', (line) => {
      failure.push(line);
      if (/^\d+$/.test(line)) resolve(Number(line));
    });
    proxy.once('exit', () => reject(new Error(`the network namespace could not be made: ${failure.join('\n')}`)));
  });
  proxy.stdin.end(JSON.stringify(config));
  return [proxy, await holder];
}

/** Starts a build network. */
export async function startBuildNetwork(options: BuildNetworkOptions = {}): Promise<BuildNetwork> {
  const folder = mkdtempSync(join(tmpdir(), 'build-network-'));
  const authority = createBuildAuthority();
  for (const file of buildSystemFiles(authority)) writeFileSync(join(folder, file.path), file.content);
  const hostsPath = options.hosts === undefined ? null : join(folder, 'upstream-hosts');
  if (hostsPath !== null) writeFileSync(hostsPath, `${readFileSync('/etc/hosts', 'utf8')}\n${options.hosts}\n`);
  const config: EgressConfig = {
    buildId: 'test',
    authority,
    caBundlePath: options.caBundlePath ?? null,
    policy: { ...defaultEgressPolicy, ...options.policy },
    quotas: { ...defaultEgressQuotas, ...options.quotas },
    upstreamProxy: options.upstreamProxy ?? null,
    store: null,
  };
  const [proxy, holder] = await startProxy(config, hostsPath);
  const records: EgressRecord[] = [];
  if (proxy.stdout === null) throw new Error('no records');
  const lines = createInterface({ input: proxy.stdout });
  lines.on('line', (line) => records.push(JSON.parse(line) as EgressRecord));
  const isDrained = once(lines, 'close');
  const isEnded = once(proxy, 'exit');
  // What the launcher does with system files: a folder below /run, resolv.conf and hosts in their usual places.
  const inside = `mount -t tmpfs none /run; cp -r '${folder}' /run/envicutor; chmod -R a+rX /run/envicutor
    mount --bind /run/envicutor/resolv.conf /etc/resolv.conf; mount --bind /run/envicutor/hosts /etc/hosts; exec "$@"`;

  return {
    records,
    async run(command, variables = {}) {
      const argv = typeof command === 'string' ? ['/bin/sh', '-c', command] : command;
      const child = spawn(
        'nsenter',
        [`--net=/proc/${holder}/ns/net`, 'unshare', '--mount', 'sh', '-ec', inside, 'sh', ...argv],
        {
          stdio: ['ignore', 'pipe', 'pipe'],
          env: { PATH: process.env['PATH'], HOME: '/tmp', LANG: 'C.UTF-8', ...buildNetworkVariables(), ...variables },
        },
      );
      const ended = once(child, 'close');
      const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
      const [exitCode] = (await ended) as [number | null];
      return { exitCode, stdout, stderr };
    },
    async stop() {
      proxy.kill('SIGTERM');
      const [exitCode] = (await isEnded) as [number | null];
      await isDrained;
      rmSync(folder, { recursive: true, force: true });
      return { exitCode, records };
    },
  };
}
