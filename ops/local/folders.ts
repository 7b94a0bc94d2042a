/**
 * Owns where the processes of an instance keep things and who may enter: the folders of the state directory with their owners, and the
 * runtime folder (sockets, a read-only view of the program), which exists in the instance's own mount namespace only.
 * Never follows anything below a folder that an unprivileged process owns: only the top of each is made and given away here.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  realpathSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Settings } from './settings.ts';

/** Host ids of our own unprivileged processes: the top of the range that sandboxes never claim (shared by all instances). */
export const hostIds = {
  coordinator: 0x7fff0001,
  verifier: 0x7fff0002,
  builder: 0x7fff0003,
  agent: 0x7fff0010,
} as const;

/** What unprivileged processes run: these parts of the checkout and nothing else of it. */
const programParts = ['package.json', 'node_modules', 'shared', 'agent', 'coordinator', 'ops/environments'];

/** The absolute paths of one instance. */
export interface Folders {
  readonly program: string;
  readonly coordinator: string;
  readonly verifier: string;
  readonly store: string;
  readonly builder: string;
  readonly staging: string;
  readonly agent: string;
  readonly agentLayers: string;
  readonly builderLayers: string;
  /** Sockets, each in a folder that only its client may enter. */
  readonly agentLauncher: string;
  readonly builderLauncher: string;
  readonly builderSocket: string;
  readonly verifierSocket: string;
  /** Where the coordinator puts the one-time token of the embedded agent. */
  readonly enrolment: string;
}

/** Where everything is; makes nothing. */
export function toFolders(settings: Settings): Folders {
  const state = (name: string) => join(settings.stateDirectory, name);
  const runtime = (name: string) => join(settings.runtimeDirectory, name);
  return {
    program: runtime('program'),
    coordinator: state('coordinator'),
    verifier: state('verifier'),
    store: state('store'),
    builder: state('builder'),
    staging: state('staging'),
    agent: state('agent'),
    agentLayers: state('agent-layers'),
    builderLayers: state('builder-layers'),
    agentLauncher: runtime('agent-launcher'),
    builderLauncher: runtime('builder-launcher'),
    builderSocket: runtime('builder'),
    verifierSocket: runtime('verifier'),
    enrolment: runtime('enrolment'),
  };
}

/** Makes all of them; runs in the instance's own mount namespace. */
export function prepareFolders(folders: Folders, settings: Settings, root: string): void {
  mountRuntime();
  mkdirSync(settings.runtimeDirectory, { mode: 0o711 });
  // Everybody may pass through to a folder of their own, nobody may list.
  chmodSync(settings.stateDirectory, 0o711);
  const { coordinator, verifier, builder, agent } = hostIds;
  // biome-ignore format: a table of folder, owner, group, mode; 2xxx: what is made inside belongs to the group that reads it
  const owners: readonly (readonly [string, number, number, number])[] = [
    [folders.coordinator,     coordinator, coordinator, 0o700],
    [folders.verifier,        verifier,    verifier,    0o700],
    [folders.store,           verifier,    coordinator, 0o2750],
    [folders.builder,         builder,     builder,     0o700],
    [folders.staging,         builder,     verifier,    0o2750],
    [folders.agent,           agent,       agent,       0o700],
    [folders.agentLayers,     0,           0,           0o700],
    [folders.builderLayers,   0,           0,           0o700],
    [folders.agentLauncher,   0,           agent,       0o710],
    [folders.builderLauncher, 0,           builder,     0o710],
    [folders.builderSocket,   builder,     coordinator, 0o2750],
    [folders.verifierSocket,  verifier,    coordinator, 0o2750],
    [folders.enrolment,       coordinator, agent,       0o2750],
  ];
  for (const [folder, user, group, mode] of owners) {
    mkdirSync(folder, { recursive: true });
    chownSync(folder, user, group);
    chmodSync(folder, mode);
  }
  mountProgram(folders.program, root);
}

/** Where launchers, of all instances on this host, lock the ranges of ids that they use. */
const ID_LOCKS = '/run/envicutor-ids';

/**
 * Gives the instance a /run of its own, so that nothing of it is ever seen or left in the host's, and none of the host's sockets is in reach.
 * What stays the host's: the register of id ranges, and the folder that /etc/resolv.conf may lead to.
 */
function mountRuntime(): void {
  mkdirSync(ID_LOCKS, { recursive: true, mode: 0o700 });
  const resolver = existsSync('/etc/resolv.conf') ? dirname(realpathSync('/etc/resolv.conf')) : '';
  const kept = [ID_LOCKS, resolver].filter((folder) => folder.startsWith('/run/'));
  const opened = kept.map((folder) => openSync(folder, 'r'));
  mount('-t', 'tmpfs', '-o', 'mode=0755,nosuid,nodev,size=64m', 'tmpfs', '/run');
  kept.forEach((folder, index) => {
    mkdirSync(folder, { recursive: true });
    // By descriptor, since the path leads to the new /run by now.
    const descriptor = opened[index] ?? -1;
    execFileSync('mount', ['--no-canonicalize', '--bind', '/proc/self/fd/3', folder], {
      stdio: ['ignore', 'ignore', 'inherit', descriptor],
    });
    closeSync(descriptor);
  });
}

/** The checkout may lie where only root can go (its home): bind what is needed of it, read-only, where everybody can. */
function mountProgram(program: string, root: string): void {
  mkdirSync(program, { mode: 0o755 });
  for (const part of programParts) {
    const from = join(root, part);
    const to = join(program, part);
    if (statSync(from).isDirectory()) mkdirSync(to, { recursive: true });
    else if (!existsSync(to)) writeFileSync(to, '');
    mount('--bind', '-o', 'ro,nosuid,nodev', from, to);
  }
}

function mount(...parameters: string[]): void {
  execFileSync('mount', parameters, { stdio: ['ignore', 'ignore', 'inherit'] });
}
