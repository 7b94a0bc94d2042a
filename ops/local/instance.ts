/**
 * Owns which processes make one instance, in which order they start, how each is told where things are, and how one sees that it is ready.
 * Never starts anything. A wave starts when all of the wave before is ready.
 * Invariant: a process learns only what it needs: the paths that are its own, and the operator's variables of its own prefix.
 */
import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { inheritedEnvironment, prefixedEnvironment } from '../../shared/config.ts';
import { type Folders, hostIds } from './folders.ts';
import { prefix, type Settings } from './settings.ts';
import type { ProcessDescription } from './supervised-process.ts';

/** What of this machine's environment every process may see: where certificates are, and the way out where there is only one. */
const inherited = [
  'LANG',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
];
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The waves of one instance. */
export function describeProcesses(settings: Settings, folders: Folders): readonly (readonly ProcessDescription[])[] {
  return [
    [
      describeLauncher('agent', settings, folders.agentLauncher, folders.agentLayers, folders),
      describeLauncher('builder', settings, folders.builderLauncher, folders.builderLayers, folders),
    ],
    [describeVerifier(folders), describeBuilder(folders), describeCoordinator(settings, folders)],
    [describeAgent(settings, folders)],
  ];
}

/** Prefixes of the processes' variables; the coordinator has all of ENVICUTOR_… that is not another's. */
const prefixes = {
  verifier: `${prefix}_VERIFIER`,
  builder: `${prefix}_BUILDER`,
  agent: `${prefix}_AGENT`,
} as const;

/** glibc keeps one heap per thread and gives little back; one heap that is trimmed costs nothing here and holds tens of megabytes less. */
const allocator = { MALLOC_ARENA_MAX: '1', MALLOC_TRIM_THRESHOLD_: '131072' };

/** The variables of a process: the machine's, the operator's for it, then ours. */
function environmentOf(
  name: 'coordinator' | keyof typeof prefixes,
  home: string,
  own: Readonly<Record<string, string>>,
): Record<string, string> {
  const given = name === 'coordinator' ? coordinatorVariables() : prefixedEnvironment(prefixes[name]);
  const cache = { NODE_COMPILE_CACHE: join(home, 'compiled'), ...allocator };
  return { ...inheritedEnvironment(inherited), ...given, ...cache, PATH, HOME: home, TMPDIR: home, ...own };
}

function coordinatorVariables(): Record<string, string> {
  const others = Object.values(prefixes).map((other) => `${other}_`);
  const all = Object.entries(prefixedEnvironment(prefix));
  return Object.fromEntries(all.filter(([variable]) => !others.some((other) => variable.startsWith(other))));
}

/** Short-lived garbage is collected before it makes the heap grow: half the resident memory for a few percent of cpu (bench memory). */
const nodeFlags = ['--max-semi-space-size=2', '--disable-warning=ExperimentalWarning'];

/** Node runs TypeScript from the read-only view; what it compiled is kept, which makes a second start quicker. */
function nodeCommand(folders: Folders, program: string): string[] {
  return [toProgramPath(folders, process.execPath), ...nodeFlags, join(folders.program, program)];
}

/** The place of a file of the checkout in the read-only view. */
function toProgramPath(folders: Folders, path: string): string {
  const root = join(import.meta.dirname, '../..');
  return path.startsWith(`${root}/`) ? join(folders.program, path.slice(root.length + 1)) : path;
}

function describeLauncher(
  client: 'agent' | 'builder',
  settings: Settings,
  socketFolder: string,
  store: string,
  folders: Folders,
): ProcessDescription {
  const socket = join(socketFolder, 'launcher.sock');
  const command = [
    join(folders.program, 'shared/sandbox/launcher/build/envicutor-launcher'),
    ...['--socket', socket],
    ...['--client-uid', String(hostIds[client])],
    ...['--store', store],
    // The launcher puts `envicutor-` before it; sweep.ts looks for the same names.
    ...['--cgroup', `${settings.port}-${client}`],
  ];
  if (client === 'builder')
    command.push('--egress-command', nodeCommand(folders, 'coordinator/egress/main.ts').join(' '));
  return {
    name: `launcher(${client})`,
    command,
    environment: { ...inheritedEnvironment(inherited), PATH },
    userId: null,
    groupId: null,
    isReady: async () => existsSync(socket),
  };
}

function describeVerifier(folders: Folders): ProcessDescription {
  const socketPath = join(folders.verifierSocket, 'verifier.sock');
  return {
    name: 'verifier',
    command: nodeCommand(folders, 'coordinator/environments/verifier/main.ts'),
    environment: environmentOf('verifier', folders.verifier, {
      ENVICUTOR_VERIFIER_SOCKET_PATH: socketPath,
      ENVICUTOR_VERIFIER_STATE_DIRECTORY: folders.verifier,
      ENVICUTOR_VERIFIER_STAGING_DIRECTORY: folders.staging,
      ENVICUTOR_VERIFIER_STORE_DIRECTORY: folders.store,
    }),
    userId: hostIds.verifier,
    groupId: hostIds.verifier,
    isReady: () => answers({ socketPath, path: '/keys' }),
  };
}

function describeBuilder(folders: Folders): ProcessDescription {
  const socketPath = join(folders.builderSocket, 'builder.sock');
  return {
    name: 'builder',
    command: nodeCommand(folders, 'coordinator/builder/main.ts'),
    environment: environmentOf('builder', folders.builder, {
      ENVICUTOR_BUILDER_SOCKET_PATH: socketPath,
      ENVICUTOR_BUILDER_STATE_DIRECTORY: folders.builder,
      ENVICUTOR_BUILDER_STAGING_DIRECTORY: folders.staging,
      ENVICUTOR_BUILDER_LAUNCHER_SOCKET_PATH: join(folders.builderLauncher, 'launcher.sock'),
    }),
    userId: hostIds.builder,
    groupId: hostIds.builder,
    isReady: () => answers({ socketPath, path: '/health' }),
  };
}

function describeCoordinator(settings: Settings, folders: Folders): ProcessDescription {
  return {
    name: 'coordinator',
    command: nodeCommand(folders, 'coordinator/main.ts'),
    environment: environmentOf('coordinator', folders.coordinator, {
      ENVICUTOR_LISTEN_PORT: String(settings.port),
      ENVICUTOR_STATE_DIRECTORY: folders.coordinator,
      ENVICUTOR_BUILDER_SOCKET_PATH: join(folders.builderSocket, 'builder.sock'),
      ENVICUTOR_VERIFIER_SOCKET_PATH: join(folders.verifierSocket, 'verifier.sock'),
      ENVICUTOR_STORE_DIRECTORY: folders.store,
      ENVICUTOR_ENROLMENT_TOKEN_FILE: join(folders.enrolment, 'token'),
    }),
    userId: hostIds.coordinator,
    groupId: hostIds.coordinator,
    isReady: () => answers({ port: settings.port, path: '/healthz' }),
  };
}

function describeAgent(settings: Settings, folders: Folders): ProcessDescription {
  return {
    name: 'agent',
    command: nodeCommand(folders, 'agent/main.ts'),
    environment: environmentOf('agent', folders.agent, {
      ENVICUTOR_AGENT_COORDINATOR_URL: `ws://127.0.0.1:${settings.port}/agents`,
      ENVICUTOR_AGENT_STATE_DIRECTORY: folders.agent,
      ENVICUTOR_AGENT_LAUNCHER_SOCKET_PATH: join(folders.agentLauncher, 'launcher.sock'),
      ENVICUTOR_AGENT_ENROLMENT_TOKEN_FILE: join(folders.enrolment, 'token'),
    }),
    userId: hostIds.agent,
    groupId: hostIds.agent,
    isReady: () => answers({ port: settings.port, path: '/readyz' }),
  };
}

/** Does a GET there bring a 200? */
function answers(where: { socketPath?: string; port?: number; path: string }): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ host: '127.0.0.1', timeout: 2_000, ...where }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    asked.on('error', () => resolve(false));
    asked.on('timeout', () => asked.destroy());
    asked.end();
  });
}
