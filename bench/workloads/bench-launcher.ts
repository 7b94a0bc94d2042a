/**
 * Owns one real launcher for scenarios that ask nothing else: started as `make run` starts it, in a folder and cgroup of its own, with a
 * layer `base` that holds this machine's own /bin/true and our measured programs.
 * Never shares anything with an instance of this machine, and needs root.
 * Invariant: stop() ends the launcher and removes what it kept.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type AllLimits, type Limits, limitDefaults } from '../../shared/model/limits.ts';
import { executionVariables, WORKSPACE_DIRECTORY } from '../../shared/model/toolchain-variables.ts';
import { CONTRACT_VERSION } from '../../shared/sandbox/contract.ts';
import { encodeFrame } from '../../shared/sandbox/frames.ts';
import { toLaunchFields } from '../../shared/sandbox/launch-spec.ts';
import { connectLauncher } from '../../shared/sandbox/launcher-client.ts';
import type { LaunchListener, LaunchReport, LaunchSpec, Sandbox } from '../../shared/sandbox/sandbox.ts';
import { tarOfBase, tarOfPrograms } from './bench-layers.ts';

const defaultBinary = new URL('../../shared/sandbox/launcher/build/envicutor-launcher', import.meta.url).pathname;

/** So many prepared sandboxes wait even when nothing has run yet. */
const STOCK_LEAST = 2;

/** A launch as an execution's run has it by default. */
const ordinary: Omit<LaunchSpec, 'argv'> = {
  profile: 'execution',
  layers: ['base', 'programs'],
  kept: [],
  isKept: false,
  target: null,
  capture: null,
  environment: executionVariables,
  directory: WORKSPACE_DIRECTORY,
  files: [],
  systemFiles: [],
  stdin: null,
  egress: null,
  limits: limitDefaults.run,
  cpuShares: 1024,
  cpus: null,
  terminal: null,
  collect: null,
};

/** A launcher of our own and its client. */
export class BenchLauncher {
  readonly folder: string;
  readonly pid: number;
  readonly sandbox: Sandbox;
  readonly #process: ChildProcess;

  private constructor(folder: string, process: ChildProcess, sandbox: Sandbox) {
    this.folder = folder;
    this.pid = process.pid ?? 0;
    this.#process = process;
    this.sandbox = sandbox;
  }

  /** Starts the launcher of this checkout, or another build of it. */
  static async start(binary: string = defaultBinary): Promise<BenchLauncher> {
    // First of all: a program that does not compile leaves no launcher behind.
    const layers = { base: tarOfBase(), programs: tarOfPrograms() };
    const folder = mkdtempSync(join(tmpdir(), 'envicutor-bench-'));
    const place = ['--socket', socketIn(folder), '--store', join(folder, 'store')];
    const client = [
      '--client-uid',
      String(process.getuid?.() ?? 0),
      '--cgroup',
      `bench-${basename(folder)
        .toLowerCase()
        .replace(/[^a-z0-9-]/g, '')}`,
    ];
    const child = spawn(binary, [...place, ...client], { stdio: ['ignore', 'ignore', 'inherit'] });
    const launcher = new BenchLauncher(folder, child, await connect(child, socketIn(folder)));
    for (const [name, tar] of Object.entries(layers)) await launcher.unpack(name, tar);
    return launcher;
  }

  get socketPath(): string {
    return socketIn(this.folder);
  }

  /** A launch of `argv` on the layers, with the limits that a run has by default. */
  spec(argv: readonly string[], changes: Partial<LaunchSpec> = {}): LaunchSpec {
    return { ...ordinary, argv, ...changes };
  }

  /** The limits that a run has by default, with changes. */
  limits(changes: Limits): AllLimits {
    return { ...limitDefaults.run, ...changes };
  }

  /** Runs it; throws unless it exited with 0. */
  async run(spec: LaunchSpec, listener?: LaunchListener): Promise<LaunchReport> {
    const report = await this.sandbox.launch(spec, listener).report;
    if (report.end === 'exited' && report.exitCode === 0) return report;
    throw new Error(`${spec.argv.join(' ')}: ${JSON.stringify(report)}`);
  }

  /** Writes a HELLO and the LAUNCH of `spec` where launch-over-socket reads them; the file's path. */
  writeFrames(spec: LaunchSpec): string {
    const path = join(this.folder, 'frames');
    const hello = encodeFrame('HELLO', { version: CONTRACT_VERSION });
    writeFileSync(path, Buffer.concat([hello, encodeFrame('LAUNCH', toLaunchFields(1, spec))]));
    return path;
  }

  /** Resolves when the stock is full and nothing waits to be removed, or after two seconds. */
  async settled(): Promise<void> {
    const until = performance.now() + 2000;
    while (performance.now() < until) {
      const { stock, stockWanted, sweeping, running } = await this.sandbox.gauges();
      if (running === 0 && sweeping === 0 && stock >= Math.max(stockWanted, STOCK_LEAST)) return;
      await pause(2);
    }
  }

  async stop(): Promise<void> {
    await this.sandbox.close();
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.#process.kill('SIGTERM');
      await once(this.#process, 'exit');
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Makes a layer of it. */
  async unpack(layer: string, tar: Buffer): Promise<void> {
    await this.sandbox.store.create(`${layer}-new`);
    const argv = [
      'tar',
      '--extract',
      '--numeric-owner',
      '--same-owner',
      '--preserve-permissions',
      '--directory=/target',
    ];
    const spec = this.spec(['/usr/bin/env', ...argv], {
      stdin: tar,
      target: `${layer}-new`,
      directory: '/',
      layers: [],
    });
    await this.run({ ...spec, profile: 'host', limits: limitDefaults.build });
    await this.sandbox.store.commit(`${layer}-new`, layer);
  }
}

function socketIn(folder: string): string {
  return join(folder, 'launcher.sock');
}

async function connect(child: ChildProcess, socketPath: string): Promise<Sandbox> {
  for (;;) {
    try {
      return await connectLauncher({ socketPath });
    } catch (error) {
      if (child.exitCode !== null) throw error;
      await pause(10);
    }
  }
}
