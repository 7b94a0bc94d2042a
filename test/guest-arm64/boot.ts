/**
 * Owns an arm64 Linux guest with a unified cgroup v2, for any machine: `node test/guest-arm64/boot.ts COMMAND...` runs COMMAND in a copy of this
 * checkout (/checkout) inside it, as the guest's root, and exits with its exit code. The launcher in it is compiled for arm64 first. What the command
 * writes to /outgoing/events appears in GUEST_OUTGOING, whose files it finds in /outgoing.
 * Never gives the guest a network, a right or a writable file of this machine: the emulator runs as nobody, and its disks are thrown away.
 * Invariant: the guest ends with this process, and at the latest after GUEST_SECONDS (600): exit code 137.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { listFiles, readCommit } from '../../ops/release/commit.ts';
import { buildLauncher, PREBUILT } from '../../ops/release/launcher-build.ts';
import { readLock } from '../../ops/release/locked-packages.ts';
import { fetchRuntime, runtimePackage } from '../../ops/release/pinned-runtime.ts';
import { copyFolder } from '../../ops/release/program.ts';

const root = new URL('../..', import.meta.url).pathname.replace(/\/$/, '');
const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'envicutor/guest');
/** A new number whenever `fetch` or `init` changes what its disk holds. */
const FORM = 'arm64-trixie-1';
const NOBODY = 65534;
/** What a run of the sandbox's tests reads of the checkout. */
const rooms = /^(shared|agent|coordinator|client|ops|bench|test)\/|^package\.json$/;
const packages = readLock(readFileSync(join(root, 'package-lock.json'), 'utf8'));

/** The folder with the guest's kernel and disk; what is missing is fetched. */
async function fetchMachine(making: string): Promise<string> {
  const pinned = packages.find(({ name }) => name === runtimePackage('arm64'));
  if (pinned === undefined) throw new Error('package-lock.json has no Node for arm64; add it to optionalDependencies');
  const folder = join(cache, `${FORM}-node-${pinned.version}`);
  if (existsSync(folder)) return folder;
  const runtime = await fetchRuntime(pinned, join(making, 'runtime'));
  execFileSync(join(import.meta.dirname, 'fetch'), [folder, runtime], { stdio: ['ignore', 'inherit', 'inherit'] });
  return folder;
}

/** A disk with the checkout as it is now, the launcher for arm64 in the place of this machine's, and what there is to do. */
async function makeCheckout(making: string, outgoing: string, command: readonly string[]): Promise<void> {
  const tree = join(making, 'tree');
  const files = listFiles(root).filter((path) => rooms.test(path) && existsSync(join(root, path)));
  copyFolder(root, files, tree);
  for (const { path } of packages.filter(({ isForProduction }) => isForProduction))
    cpSync(join(root, path), join(tree, path), { recursive: true });
  await buildLauncher(tree, 'arm64', readCommit(root, undefined));
  const launcher = join(tree, 'shared/sandbox/launcher/build/envicutor-launcher');
  mkdirSync(dirname(launcher), { recursive: true });
  copyFileSync(join(tree, PREBUILT, 'linux-arm64/envicutor-launcher'), launcher);
  cpSync(outgoing, join(tree, 'outgoing'), { recursive: true });
  const settings = Object.entries(process.env).filter(([name]) => name.startsWith('ENVICUTOR_TEST_'));
  const lines = settings.map(([name, value = '']) => `export ${name}=${quoted(value)}`);
  writeFileSync(join(tree, 'command'), [...lines, command.map(quoted).join(' '), ''].join('\n'));
  const words = ['-q', '-F', '-d', tree, join(making, 'checkout'), '512M'];
  execFileSync('mkfs.ext4', words, { stdio: ['ignore', 'ignore', 'inherit'] });
}

const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;

/** The emulator's words. Only the first disk has a driver in the kernel itself; the other's is loaded in init. */
function emulator(making: string, outgoing: string): string[] {
  const port = (name: string) => [
    ...['-chardev', `file,id=${name},path=${join(outgoing, name)}`],
    ...['-device', `virtserialport,chardev=${name},name=${name}`],
  ];
  const disk = (name: string, device: string) => [
    ...['-drive', `if=none,id=${name},file=${join(making, name)},format=raw`],
    ...['-device', `${device},drive=${name}`],
  ];
  return [
    ...['qemu-system-aarch64', '-M', 'virt', '-cpu', 'max,pauth-impdef=on', '-accel', 'tcg,thread=multi'],
    ...['-smp', '2', '-m', process.env['GUEST_MEMORY'] ?? '2G', '-nodefaults', '-no-user-config', '-no-reboot'],
    ...['-display', 'none', '-nic', 'none', '-serial', 'stdio', '-sandbox', 'on,spawn=deny,elevateprivileges=deny'],
    ...['-kernel', join(making, 'kernel')],
    ...['-append', 'root=/dev/nvme0n1 rootfstype=ext4 rw init=/init console=ttyAMA0 quiet panic=-1'],
    ...disk('disk', 'nvme,serial=disk'),
    ...disk('checkout', 'virtio-blk-pci'),
    ...['-device', 'virtio-serial-pci', ...port('events'), ...port('status')],
  ];
}

/** Boots, and resolves with the command's exit code. */
async function boot(making: string, outgoing: string, command: readonly string[]): Promise<number> {
  const machine = await fetchMachine(making);
  await makeCheckout(making, outgoing, command);
  // What lies in the cache is nobody's to open, and stays as it is.
  for (const name of ['kernel', 'disk']) execFileSync('cp', ['--sparse=always', join(machine, name), making]);
  chmodSync(making, 0o711);
  for (const path of [join(making, 'disk'), join(making, 'checkout'), outgoing]) chownSync(path, NOBODY, NOBODY);
  const seconds = process.env['GUEST_SECONDS'] ?? '600';
  // Whatever ends this process ends the emulator, which has no network and nobody's rights.
  const dies = ['--pdeathsig', 'KILL'];
  const bounded = [...dies, 'timeout', '--foreground', '-s', 'KILL', seconds, 'unshare', '--net', '--ipc'];
  const asNobody = ['--reuid', `${NOBODY}`, '--regid', `${NOBODY}`, '--clear-groups', '--no-new-privs'];
  const words = [...bounded, 'setpriv', ...dies, ...asNobody, ...emulator(making, outgoing)];
  const variables = { PATH: process.env['PATH'], HOME: making, TMPDIR: tmpdir() };
  const child = spawn('setpriv', words, { env: variables, stdio: ['ignore', 'inherit', 'inherit'] });
  const [exitCode] = (await once(child, 'exit')) as [number | null];
  const told = join(outgoing, 'status');
  const status = Number.parseInt(existsSync(told) ? readFileSync(told, 'utf8') : '', 10);
  if (!Number.isNaN(status)) return status;
  process.stderr.write('guest-arm64: it ended before its command did\n');
  return exitCode === 0 || exitCode === null ? 70 : exitCode;
}

const making = mkdtempSync(join(tmpdir(), 'envicutor-guest-arm64-'));
process.on('exit', () => rmSync(making, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));
if (process.getuid?.() !== 0) {
  process.stderr.write('guest-arm64: the emulator is started as nobody, which needs root\n');
  process.exit(78);
}
const outgoing = process.env['GUEST_OUTGOING'] ?? join(making, 'outgoing');
mkdirSync(outgoing, { recursive: true });
process.exitCode = await boot(making, outgoing, process.argv.slice(2));
