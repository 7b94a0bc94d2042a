/**
 * Starts the real launcher in a folder of its own and makes one layer of programs of this machine, so that tests run real programs
 * without any registry. Needs root. Never touches another launcher: socket, store and cgroup are this process's own.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemError } from '../../shared/errors.ts';
import { limitDefaults } from '../../shared/model/limits.ts';
import { connectLauncher } from '../../shared/sandbox/launcher-client.ts';
import { OutputBuffer } from '../../shared/sandbox/output-buffer.ts';
import type { Sandbox } from '../../shared/sandbox/sandbox.ts';
import { toCanonical } from './canonical-tar.ts';
import { launchSpec } from './launch-spec.ts';

const built = new URL('../../shared/sandbox/launcher/build/envicutor-launcher', import.meta.url).pathname;
/** The ordinary build, or the one with sanitizers (make test-deep). */
export const launcherBinary = process.env['ENVICUTOR_TEST_LAUNCHER'] ?? built;
const programs =
  'sh dash cat true false env printf dd head tail sleep id ls yes ln mkdir touch seq wc stat uname sha256sum stty tty chmod mkfifo cp rm truncate';

const SOCKET = 'launcher.sock';
const STOCK_MAX = 4;

/** Copies the programs, the libraries that they name and what a shell expects, into the working directory. */
const fill = `set -e
mkdir -p usr/bin usr/lib usr/lib64 etc tmp dev proc sys run
ln -s usr/bin bin; ln -s usr/lib lib; ln -s usr/lib64 lib64
printf 'root:x:0:0::/:/bin/sh\\nuser:x:1000:1000::/environment/workspace:/bin/sh\\n' > etc/passwd
for name in ${programs}; do cp -L "/usr/bin/$name" usr/bin/; done
for name in ${programs}; do ldd "/usr/bin/$name"; done | grep -o '/[^ ]*' | sort -u |
while read -r library; do mkdir -p "./usr/$(dirname "$library")"; cp -L "$library" "./usr/$library"; done`;

/** A running launcher with a layer `base` of the machine's own programs. */
export class RealLauncher {
  readonly folder: string;
  readonly socketPath: string;
  /** Its --cgroup and --stock. */
  readonly cgroup: string;
  readonly stockMax = STOCK_MAX;
  readonly sandbox: Sandbox;
  readonly #command: readonly string[];
  #process: ChildProcess;
  #isStoreBounded = false;

  private constructor(
    folder: string,
    cgroup: string,
    command: readonly string[],
    process: ChildProcess,
    sandbox: Sandbox,
  ) {
    this.folder = folder;
    this.cgroup = cgroup;
    this.socketPath = join(folder, SOCKET);
    this.#command = command;
    this.#process = process;
    this.sandbox = sandbox;
  }

  /** With `storeBytes` its store is a file system of this size; its folder is made below `parent`. */
  static async start(name: string, storeBytes: number | null = null, parent = tmpdir()): Promise<RealLauncher> {
    const folder = await mkdtemp(join(parent, 'envicutor-real-launcher-'));
    if (storeBytes !== null) boundStore(folder, storeBytes, []);
    const place = ['--socket', join(folder, SOCKET), '--store', join(folder, 'store')];
    const client = ['--client-uid', String(process.getuid?.() ?? 0)];
    const cgroup = `${name}-${process.pid}`;
    const command = [...place, ...client, '--cgroup', cgroup, '--stock', String(STOCK_MAX)];
    const child = spawnLauncher(command);
    const launcher = new RealLauncher(folder, cgroup, command, child, await connect(child, join(folder, SOCKET)));
    launcher.#isStoreBounded = storeBytes !== null;
    try {
      await launcher.#makeBase();
    } catch (error) {
      await launcher.stop(); // else it would keep this process alive
      throw error;
    }
    return launcher;
  }

  get processId(): number {
    return this.#process.pid ?? 0;
  }

  /** Kills it as a crash would and starts it again in the same place. */
  async restart(): Promise<void> {
    await this.#end('SIGKILL');
    this.#process = spawnLauncher(this.#command);
    await (await connect(this.#process, this.socketPath)).close();
  }

  /** From now on the file system of the store, which was given a size at the start, has another. */
  resizeStore(bytes: number): void {
    boundStore(this.folder, bytes, ['remount']);
  }

  async stop(): Promise<void> {
    await this.sandbox.close();
    await this.#end('SIGTERM');
    if (this.#isStoreBounded) execFileSync('umount', [join(this.folder, 'store')]);
    // Layers of an ordinary user's launcher belong to his subordinate ids.
    const store = join(this.folder, 'store');
    if (this.sandbox.facts.isRootless) spawnSync('unshare', ['--map-root-user', '--map-auto', 'rm', '-rf', store]);
    const { exitCode } = this.#process;
    await rm(this.folder, { recursive: true, force: true });
    if (exitCode !== 0) throw new Error(`the launcher ended with ${exitCode}: a sanitizer's leak, or a crash`);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill(signal);
    await once(this.#process, 'exit');
  }

  async #makeBase(): Promise<void> {
    const { store } = this.sandbox;
    await store.create('base-new');
    const said = new OutputBuffer();
    const spec = launchSpec(['/bin/sh', '-c', `cd /target; ${fill}`], {
      target: 'base-new',
      directory: '/',
      limits: limitDefaults.build,
    });
    const { report } = this.sandbox.launch({ ...spec, profile: 'host' }, { stderr: said.append.bind(said) });
    const { end, exitCode, failure } = await report;
    if (exitCode !== 0)
      throw new Error(`the test's base layer: ${end} ${exitCode} ${JSON.stringify(failure)} ${said.bytes()}`);
    await store.commit('base-new', 'base');
  }
}

function boundStore(folder: string, bytes: number, options: readonly string[]): void {
  const store = join(folder, 'store');
  mkdirSync(store, { recursive: true });
  const all = [...options, `size=${bytes}`, 'mode=0700'].join(',');
  execFileSync('mount', ['-t', 'tmpfs', '-o', all, 'tmpfs', store]);
}

function spawnLauncher(command: readonly string[]): ChildProcess {
  return spawn(launcherBinary, command, { stdio: ['ignore', 'ignore', 'inherit'] });
}

async function connect(child: ChildProcess, socketPath: string): Promise<Sandbox> {
  for (;;) {
    try {
      return await connectLauncher({ socketPath });
    } catch (error) {
      if (!(error instanceof SystemError) || child.exitCode !== null) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/** The same layer as a canonical tar. */
export function tarOfBase(): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'envicutor-base-'));
  try {
    const tar = 'tar --create --sort=name --numeric-owner --owner=0 --group=0 --format=posix .';
    const made = spawnSync('/bin/sh', ['-c', `${fill}\n${tar}`], { cwd: folder, maxBuffer: 1 << 28 });
    if (made.status !== 0) throw new Error(`the tar of the base layer: ${made.stderr}`);
    return toCanonical(made.stdout);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A static program of this C source, as bytes. */
export function compileC(source: string): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'envicutor-compile-'));
  try {
    const path = join(folder, 'main');
    const settings = ['-O1', '-static', '-pthread', '-x', 'c', '-o', path, '-'];
    const gcc = spawnSync('gcc', settings, { input: source, encoding: 'utf8' });
    if (gcc.status !== 0) throw new Error(`gcc: ${gcc.stderr}`);
    return readFileSync(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
