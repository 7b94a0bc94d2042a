/**
 * Starts the real launcher in a folder of its own and makes one layer of programs of this machine, so that tests run real programs
 * without any registry. Needs root. Never touches another launcher: socket, store and cgroup are this process's own.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemError } from '../../shared/errors.ts';
import { limitDefaults } from '../../shared/model/limits.ts';
import { connectLauncher } from '../../shared/sandbox/launcher-client.ts';
import { OutputBuffer } from '../../shared/sandbox/output-buffer.ts';
import type { Sandbox } from '../../shared/sandbox/sandbox.ts';
import { launchSpec } from './launch-spec.ts';

const binary = new URL('../../shared/sandbox/launcher/build/envicutor-launcher', import.meta.url).pathname;
const programs =
  'sh dash cat true false env printf dd head tail sleep id ls yes ln mkdir touch seq wc stat uname sha256sum';

/** Copies the programs, the libraries that they name and what a shell expects. */
const fill = `set -e
cd /target
mkdir -p usr/bin usr/lib usr/lib64 etc tmp dev proc sys run
ln -s usr/bin bin; ln -s usr/lib lib; ln -s usr/lib64 lib64
printf 'root:x:0:0::/:/bin/sh\\nuser:x:1000:1000::/environment/workspace:/bin/sh\\n' > etc/passwd
for name in ${programs}; do cp -L "/usr/bin/$name" usr/bin/; done
for name in ${programs}; do ldd "/usr/bin/$name"; done | grep -o '/[^ ]*' | sort -u |
while read -r library; do mkdir -p "./usr/$(dirname "$library")"; cp -L "$library" "./usr/$library"; done`;

/** A running launcher with a layer `base` of the machine's own programs. */
export class RealLauncher {
  readonly folder: string;
  readonly sandbox: Sandbox;
  readonly process: ChildProcess;

  private constructor(folder: string, process: ChildProcess, sandbox: Sandbox) {
    this.folder = folder;
    this.process = process;
    this.sandbox = sandbox;
  }

  static async start(name: string): Promise<RealLauncher> {
    const folder = await mkdtemp(join(tmpdir(), 'envicutor-real-launcher-'));
    const socketPath = join(folder, 'launcher.sock');
    const place = ['--socket', socketPath, '--store', join(folder, 'store'), '--cgroup', `${name}-${process.pid}`];
    const child = spawn(binary, [...place, '--client-uid', String(process.getuid?.() ?? 0), '--stock', '4'], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const launcher = new RealLauncher(folder, child, await connect(child, socketPath));
    await launcher.#makeBase();
    return launcher;
  }

  async stop(): Promise<void> {
    await this.sandbox.close();
    if (this.process.exitCode === null) {
      this.process.kill('SIGTERM');
      await once(this.process, 'exit');
    }
    await rm(this.folder, { recursive: true, force: true });
  }

  async #makeBase(): Promise<void> {
    const { store } = this.sandbox;
    await store.create('base-new');
    const said = new OutputBuffer();
    const spec = launchSpec(['/bin/sh', '-c', fill], {
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
