/**
 * Owns runc and crun as rivals: `run` of a bundle, which creates, starts, waits for and deletes a container, with the configuration that their own `spec`
 * writes and the changes that their settings tell. Its tree is made of the files that our sandboxes' layers are made of.
 * Never shares a state folder or a control group with containers of this machine. Invariant: stop() removes all that the runs left.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { tarOfBase, tarOfPrograms } from '../workloads/bench-layers.ts';
import { isHybrid, removeCgroups } from './own-cgroups.ts';
import { type Contender, type Peer, presenceOf, type Rival, versionOf } from './peer.ts';
import { TimedCommand } from './timed-command.ts';

type RuntimeName = 'runc' | 'crun';

/** What is changed of the configuration that `spec` writes. */
interface OciConfig {
  readonly process: { readonly terminal: boolean; readonly args: readonly string[] };
  readonly root: { readonly path: string };
  readonly linux: { readonly namespaces: readonly { readonly type: string }[] };
}

const UNIFIED = '/sys/fs/cgroup/unified';

/** crun refuses to run where a second, unified hierarchy has controllers; so it is not shown that one. */
const hides = (name: RuntimeName) => name === 'crun' && isHybrid();
const hiding = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', `umount ${UNIFIED} && exec "$@"`, 'sh'];

/** As a command line; the rival's own defaults but for its folder. */
const runCommand = (program: string, state: string, bundle: string, id: string) => [
  ...[program, '--root', state, 'run', '--bundle', bundle, id],
];

function settingsOf(name: RuntimeName): string[] {
  return [
    runCommand(name, 'STATE', 'BUNDLE', 'ID').join(' '),
    `config.json: as '${name} spec' writes it, with process.terminal false, process.args PROGRAM, root.path a tree of this machine's own true, sh, cat, sleep, ` +
      'ls and cp with their libraries (read-only, as written), linux.cgroupsPath a new group, and a cgroup namespace besides; no limits, no user namespace',
    ...(hides(name) ? [`in a mount namespace without ${UNIFIED}, since it refuses hybrid control groups`] : []),
  ];
}

function ociRuntime(name: RuntimeName): Rival {
  return {
    name,
    find: (variables) => {
      if (process.getuid?.() !== 0)
        return { absent: { name, why: 'needs root for a container with the rights of ours' } };
      return presenceOf(name, variables, (program) => ({
        version: version(name, program),
        settings: settingsOf(name),
      }));
    },
    start: (peer) => start(name, peer),
  };
}

/** It makes its state folder even for this. */
function version(name: RuntimeName, program: Parameters<typeof versionOf>[0]): string {
  const state = mkdtempSync(join(tmpdir(), `envicutor-peer-${name}-`));
  try {
    return versionOf(program, '--root', state, '--version');
  } finally {
    rmSync(state, { recursive: true });
  }
}

/** Calls the runtime beside the rounds; its words when it fails. */
function call({ path, libraries }: Peer, parameters: readonly string[], cwd: string): string | null {
  const env = libraries === undefined ? process.env : { ...process.env, LD_LIBRARY_PATH: libraries };
  const { status, stderr, error } = spawnSync(path, parameters, { cwd, env, encoding: 'utf8' });
  return status === 0 ? null : (error?.message ?? stderr.trim());
}

async function start(name: RuntimeName, peer: Peer): Promise<Contender> {
  const folder = mkdtempSync(join(tmpdir(), `envicutor-peer-${name}-`));
  const cgroup = `/${basename(folder)}`;
  const state = join(folder, 'state');
  const tidy = async () => {
    // Only a run that was ended in its middle leaves one.
    for (const id of readdirOr(state)) call(peer, ['--root', state, 'delete', '--force', id], folder);
    await removeCgroups(cgroup);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const config = prepare(peer, folder);
    let bundles = 0;
    const toCommand = (argv: readonly string[]) => {
      const id = `run-${++bundles}`;
      const bundle = join(folder, id);
      mkdirSync(bundle);
      writeFileSync(join(bundle, 'config.json'), JSON.stringify(changed(config, folder, `${cgroup}/${id}`, argv)));
      return runCommand(peer.path, state, bundle, id);
    };
    return new TimedCommand(peer, toCommand, { tidy, around: hides(name) ? hiding : [] });
  } catch (error) {
    await tidy();
    throw error;
  }
}

function readdirOr(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Makes the tree, and has the runtime write its configuration. */
function prepare(peer: Peer, folder: string): OciConfig {
  const tree = join(folder, 'tree');
  mkdirSync(tree);
  for (const input of [tarOfBase(), tarOfPrograms()]) {
    const { status, stderr } = spawnSync('tar', ['--extract', '--directory', tree], { input, encoding: 'utf8' });
    if (status !== 0) throw new Error(`its tree could not be unpacked: ${stderr}`);
  }
  const failure = call(peer, ['--root', join(folder, 'state'), 'spec'], folder);
  if (failure !== null) throw new Error(`'spec' failed: ${failure}`);
  return JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
}

function changed(config: OciConfig, folder: string, cgroupsPath: string, args: readonly string[]): OciConfig {
  const others = config.linux.namespaces.filter(({ type }) => type !== 'cgroup');
  const linux = { ...config.linux, cgroupsPath, namespaces: [...others, { type: 'cgroup' }] };
  const root = { ...config.root, path: join(folder, 'tree') };
  return { ...config, process: { ...config.process, terminal: false, args }, root, linux };
}

/** The one that Docker uses. */
export const runc: Rival = ociRuntime('runc');

/** The same in C. */
export const crun: Rival = ociRuntime('crun');
