/**
 * Owns a machine on which ops/install-agent is tried, from inside it: the installer's runs, a coordinator to install for, what lies on the machine.
 * Never run outside a guest: it installs services. Invariant: what `look` tells is everything that an installation could leave.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { createServer as createTlsServer } from 'node:tls';
import { DirectoryObjectStore } from '../../shared/storage/directory-object-store.ts';
import { storeLayer } from './base-builds.ts';
import { checkedFetch } from './checked-fetch.ts';
import { startBuildServices } from './fake-build-services.ts';

const installer = new URL('../../ops/install-agent', import.meta.url).pathname;
export const PORT = 7070;
export const coordinatorUrl = `http://127.0.0.1:${PORT}`;

/** How a run of the installer ended. */
export interface Installation {
  readonly code: number | null;
  readonly said: string;
}

/** Runs the installer to its end; `within`: what it is started by; `killAt`: kills it, and nothing else, when it says that. */
export async function install(
  args: readonly string[],
  { within = [], killAt = null }: { within?: readonly string[]; killAt?: string | null } = {},
): Promise<Installation> {
  const [program = installer, ...rest] = [...within, installer, ...args];
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  if (killAt !== null) killWhenSaid(child, killAt);
  const [said, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: code as number | null, said: `${said}${errors}` };
}

function killWhenSaid(child: ChildProcess, words: string): void {
  if (child.stdout === null) return;
  createInterface(child.stdout).on('line', (line) => {
    if (line.includes(words)) child.kill('SIGKILL');
  });
}

/** Output of a shell's command. */
export function shell(command: string): string {
  const { stdout, stderr, status } = spawnSync('sh', ['-c', command], { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(`${command}: ${status} ${stderr}`);
  return stdout;
}

/**
 * What lies on the machine, one line each: files with owner, mode and size, all but logs, systemd's own notes and /usr/share; of settings
 * also digests, so that users and groups are among them; units; cgroups; what is in /run. The copies that useradd keeps of the files of users are looked into apart.
 */
export function look(): string[] {
  const skipped = ['/var/log', '/var/lib/systemd', '/usr/share', '/srv', '/tmp', '/var/tmp'].map(
    (path) => `-path ${path} -prune -o`,
  );
  const copies = '! -name passwd- ! -name shadow- ! -name group- ! -name gshadow-';
  const lines = shell(`
    find / -xdev ${skipped.join(' ')} -type d -printf '%y %m %U:%G %p\\n' -o ${copies} -printf '%y %m %U:%G %s %p %l\\n'
    find /etc /home /root -xdev -type f ${copies} -exec sha256sum {} +
    grep -l envicutor /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- || true
    find /run -maxdepth 2 -name '*envicutor*'
    find /sys/fs/cgroup -name '*envicutor*'
    systemctl list-unit-files --no-legend --no-pager
    systemctl list-units --all --no-legend --no-pager '*envicutor*'
    ps -e -o comm= 2>/dev/null | grep envicutor || true`);
  return lines.split('\n').sort();
}

/** Starts the coordinator of a release that lies in /outgoing, with a base and nobody who builds; resolves when it serves. */
export async function startCoordinator(archive: string) {
  const folder = '/srv/coordinator';
  for (const name of ['release', 'state', 'services']) await mkdir(join(folder, name), { recursive: true });
  shell(`tar -xzf ${archive} -C ${folder}/release --strip-components=1 --no-same-owner`);
  const store = new DirectoryObjectStore(join(folder, 'store'));
  const services = await startBuildServices(join(folder, 'services'), store);
  services.script = await storeLayer(store, await readFile('/outgoing/base.tar'));
  const variables = {
    ENVICUTOR_LISTEN_PORT: String(PORT),
    ENVICUTOR_STATE_DIRECTORY: join(folder, 'state'),
    ENVICUTOR_STORE_DIRECTORY: join(folder, 'store'),
    ENVICUTOR_BUILDER_SOCKET_PATH: join(folder, 'services/builder.sock'),
    ENVICUTOR_VERIFIER_SOCKET_PATH: join(folder, 'services/verifier.sock'),
    ENVICUTOR_REPRODUCE_BUILDS: 'off',
  };
  const program = join(folder, 'release/bin/envicutor-coordinator');
  const child = spawn(program, { env: { ...process.env, ...variables }, stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface(child.stdout);
  await new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => line.includes('coordinator ready') && resolve());
    child.once('exit', (code) => reject(new Error(`the coordinator ended with ${code}`)));
  });
  const stop = async () => {
    child.kill('SIGKILL');
    services.builder.closeAllConnections();
    services.verifier.closeAllConnections();
    await Promise.all([services.builder[Symbol.asyncDispose](), services.verifier[Symbol.asyncDispose]()]);
  };
  return { stop };
}

/** Asks the coordinator's API. */
export async function ask(method: string, path: string, body?: object): Promise<ReturnType<typeof JSON.parse>> {
  const content =
    body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  const answer = await checkedFetch(`${coordinatorUrl}${path}`, { method, ...content });
  return await answer.json();
}

/** Serves the files of /outgoing by http, as a site that has releases does. */
export async function serveReleases(port: number) {
  const server = createServer((request, response) => {
    const file = createReadStream(join('/outgoing', basename(request.url ?? '')));
    file.on('error', () => response.writeHead(404).end());
    file.on('open', () => file.pipe(response));
  });
  server.listen(port, '127.0.0.1').unref();
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${port}`, stop: () => server.close() };
}

/** What listens on a port of this machine behind TLS, as a proxy before it makes it; the certificate is from /outgoing/ca.pem. */
export async function serveByTls(port: number, insidePort: number) {
  const [cert, key] = [await readFile('/outgoing/coordinator.pem'), await readFile('/outgoing/coordinator.key')];
  const server = createTlsServer({ cert, key }, (outside) => {
    const inside = connect(insidePort, '127.0.0.1');
    outside.pipe(inside).pipe(outside);
    for (const socket of [outside, inside])
      socket.on('error', () => undefined).on('close', () => [outside, inside].map((each) => each.destroy()));
  });
  server.listen(port, '127.0.0.1').unref();
  await once(server, 'listening');
  return { url: `https://127.0.0.1:${port}`, stop: () => server.close() };
}

/** A file with a fresh one-time token. */
export async function tokenFile(): Promise<string> {
  const { token } = await ask('POST', '/v1/agents/enrolments', {});
  await writeFile('/srv/token', token, { mode: 0o600 });
  return '/srv/token';
}
