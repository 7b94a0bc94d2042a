/**
 * Owns Docker as a rival: asked by its engine's API over its local socket for one container each run: created, started, waited for, removed. The engine is
 * this machine's when one answers, else one of our own in namespaces of its own (private-engine.sh). Its image is made of the files that our layers are made of.
 * Never asks a registry, and never changes this machine's engine but for its own image and containers. Invariant: stop() removes these, and ends our engine.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Pool } from 'undici';
import { tarOfBase } from '../workloads/bench-layers.ts';
import { removeCgroups } from './own-cgroups.ts';
import { type Contender, type Peer, presenceOf, type Rival, type Variables, versionOf } from './peer.ts';
import { PeerProcess } from './peer-process.ts';

const API = 'POST /containers/create (Image, Cmd PROGRAM, HostConfig.NetworkMode none), start, wait, DELETE';
const IMAGE =
  "the image is this machine's own true, sh, cat, sleep, ls and cp with their libraries, by POST /images/create";

const settings = {
  own: [
    'dockerd --config-file {} --host unix://SOCKET --data-root DATA --exec-root EXEC --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent CGROUP ' +
      '--bridge none --iptables=false --ip-forward=false --ip-masq=false, in pid, mount and network namespaces of its own',
    API,
    IMAGE,
  ],
  machine: ["this machine's engine, as it is set up", API, IMAGE],
};

const isDaemon = (path: string) => basename(path) === 'dockerd';

/** Where the engine that `docker` speaks to listens; a path, or null when it is not a local socket. */
function socketOf(docker: string, variables: Variables = process.env): string | null {
  const format = '{{.Endpoints.docker.Host}}';
  const asked = spawnSync(docker, ['context', 'inspect', '--format', format], { encoding: 'utf8' });
  const host = variables['DOCKER_HOST'] ?? asked.stdout?.trim() ?? '';
  return host.startsWith('unix://') ? host.slice('unix://'.length) : null;
}

/** One engine and our image in it. */
class DockerEngine implements Contender {
  readonly #pool: Pool;
  readonly #image: string;
  readonly #process: PeerProcess | null;
  readonly #containers = new Set<string>();

  constructor(socketPath: string, image: string, process: PeerProcess | null) {
    this.#pool = new Pool('http://localhost', { socketPath, connections: 16 });
    this.#image = image;
    this.#process = process;
  }

  /** Waits until it answers and gives it the image. */
  async prepare(): Promise<void> {
    const answers = async () => (await this.#ask('GET', '/_ping')) === 'OK';
    if (this.#process === null) await answers();
    else await this.#process.ready(answers);
    const said = await this.#ask('POST', `/images/create?fromSrc=-&repo=${this.#image}&tag=1`, tarOfBase());
    if (said.includes('"error"')) throw new Error(`its image could not be made: ${said.trim()}`);
  }

  async round(argv: readonly string[]): Promise<number> {
    const from = performance.now();
    const wanted = { Image: `${this.#image}:1`, Cmd: argv, HostConfig: { NetworkMode: 'none' } };
    const { Id: id } = JSON.parse(await this.#ask('POST', '/containers/create', wanted));
    this.#containers.add(id);
    await this.#ask('POST', `/containers/${id}/start`);
    const { StatusCode: code } = JSON.parse(await this.#ask('POST', `/containers/${id}/wait`));
    await this.#ask('DELETE', `/containers/${id}`);
    this.#containers.delete(id);
    if (code !== 0) throw new Error(`its container exited with ${code}`);
    return performance.now() - from;
  }

  gone(): string | null {
    return this.#process?.gone() ?? null;
  }

  async stop(): Promise<void> {
    if (this.#process === null) {
      for (const id of this.#containers) await this.#ask('DELETE', `/containers/${id}?force=true`).catch(() => {});
      await this.#ask('DELETE', `/images/${this.#image}:1?force=true`).catch(() => {});
    }
    await this.#pool.destroy();
    await this.#process?.stop('its child');
  }

  #ask(method: 'GET' | 'POST' | 'DELETE', path: string, body?: Buffer | object): Promise<string> {
    const ask = async () => {
      const [bytes, type] = Buffer.isBuffer(body)
        ? [body, 'application/x-tar']
        : [body === undefined ? null : JSON.stringify(body), 'application/json'];
      const answer = await this.#pool.request({ method, path, body: bytes, headers: { 'content-type': type } });
      const text = await answer.body.text();
      if (answer.statusCode >= 400) throw new Error(`it answered ${method} ${path} with ${answer.statusCode}: ${text}`);
      return text;
    };
    return this.#process === null ? ask() : this.#process.told(ask);
  }
}

async function start(peer: Peer): Promise<Contender> {
  if (isDaemon(peer.path)) return startOwn(peer);
  const socket = socketOf(peer.path);
  if (socket === null) throw new Error('its engine listens on no local socket');
  const engine = new DockerEngine(socket, nameForOwn(), null);
  return prepared(engine, () => engine.stop());
}

/** A name that nothing else on this machine has: that of a new folder. */
function nameForOwn(): string {
  const folder = mkdtempSync(join(tmpdir(), 'envicutor-peer-docker-'));
  rmSync(folder, { recursive: true });
  return basename(folder).toLowerCase();
}

async function startOwn({ path, libraries = '' }: Peer): Promise<Contender> {
  const cgroup = `/${nameForOwn()}`;
  const namespaces = [
    '--mount',
    '--propagation',
    'private',
    '--net',
    '--pid',
    '--fork',
    '--kill-child',
    '--mount-proc',
  ];
  const script = join(import.meta.dirname, 'private-engine.sh');
  const process = PeerProcess.start('docker', (folder) => [
    ...['unshare', ...namespaces, script, folder, path, cgroup, libraries],
  ]);
  const engine = new DockerEngine(join(process.folder, 'socket'), 'envicutor-peer', process);
  const stop = async () => {
    await engine.stop();
    await removeCgroups(cgroup);
  };
  return prepared(engine, stop);
}

async function prepared(engine: DockerEngine, stop: () => Promise<void>): Promise<Contender> {
  try {
    await engine.prepare();
  } catch (error) {
    await stop();
    throw error;
  }
  return { round: (argv) => engine.round(argv), gone: () => engine.gone(), stop };
}

/** The version of the engine that answers. */
function serverVersion(docker: string): string {
  const format = '{{.Server.Version}}';
  const { stdout } = spawnSync(docker, ['version', '--format', format], { encoding: 'utf8', timeout: 10_000 });
  return stdout?.trim() || 'unknown';
}

/** The rival. */
export const docker: Rival = {
  name: 'docker',
  find: (variables) =>
    presenceOf('docker', variables, (program) =>
      isDaemon(program.path)
        ? { version: versionOf(program, '--version'), settings: settings.own }
        : { version: serverVersion(program.path), settings: settings.machine },
    ),
  start,
};
