/**
 * Owns a real Prometheus for tests: the installed program on a free loopback port, with a folder of its own and the configuration that is given.
 * Never touches a Prometheus of the machine. Never outlives its test: stopped by its pid, and killed by the kernel when the test's process dies first.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '../local/private-instance.ts';

const READY_MS_MAX = 30_000;
const ATTEMPTS_MAX = 3;
const LOOK_MS = 50;

/** Files of a configuration by their names; `prometheus.yml` is the first that is read. */
export type PrometheusFiles = Readonly<Record<string, string>>;

/** What its API answers. */
export interface PrometheusAnswer {
  readonly status: 'success' | 'error';
  readonly error?: string;
  readonly data?: unknown;
}

async function writeFiles(folder: string, files: PrometheusFiles): Promise<void> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
}

/** What `promtool check config` says about a configuration with its rules; rejects with that when it is not right. */
export async function checkPrometheusFiles(files: PrometheusFiles): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'envicutor-promtool-'));
  try {
    await writeFiles(folder, files);
    return (await promisify(execFile)('promtool', ['check', 'config', join(folder, 'prometheus.yml')])).stdout;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A running Prometheus. */
export class PrivatePrometheus {
  readonly #folder: string;
  readonly #child: ChildProcess;
  readonly #url: string;

  private constructor(folder: string, child: ChildProcess, url: string) {
    this.#folder = folder;
    this.#child = child;
    this.#url = url;
  }

  /** Starts one, about a second; somebody may take its port before it listens: then another one is tried. */
  static async start(files: PrometheusFiles): Promise<PrivatePrometheus> {
    const folder = await mkdtemp(join(tmpdir(), 'envicutor-prometheus-'));
    await writeFiles(folder, files);
    for (let attempt = 1; ; attempt += 1) {
      const address = `127.0.0.1:${await freePort()}`;
      const child = spawnServer(folder, address);
      const output: Buffer[] = [];
      child.stderr?.on('data', (chunk: Buffer) => output.push(chunk));
      const started = new PrivatePrometheus(folder, child, `http://${address}`);
      if (await started.#isReady()) return started;
      if (child.exitCode !== null && attempt < ATTEMPTS_MAX) continue;
      await started.stop();
      throw new Error(`Prometheus did not become ready: ${Buffer.concat(output)}`);
    }
  }

  async #isReady(): Promise<boolean> {
    const deadline = performance.now() + READY_MS_MAX;
    while (performance.now() < deadline && this.#child.exitCode === null) {
      const answer = await fetch(`${this.#url}/-/ready`).catch(() => null);
      if (answer?.ok === true) return true;
      await delay(LOOK_MS);
    }
    return false;
  }

  /** Asks `/api/v1/…` of it. */
  async ask(path: string, parameters: Readonly<Record<string, string>> = {}): Promise<PrometheusAnswer> {
    const answer = await fetch(`${this.#url}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    return (await answer.json()) as PrometheusAnswer;
  }

  /** Asks again and again until the answer fits; rejects with the last one after so long. */
  async until(path: string, fits: (answer: PrometheusAnswer) => boolean, timeMsMax: number): Promise<PrometheusAnswer> {
    const deadline = performance.now() + timeMsMax;
    for (;;) {
      const answer = await this.ask(path);
      if (fits(answer)) return answer;
      if (performance.now() > deadline) throw new Error(`/api/v1/${path} still says ${JSON.stringify(answer)}`);
      await delay(LOOK_MS);
    }
  }

  /** Ends it and removes its folder; may be called again. */
  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = once(this.#child, 'exit');
      this.#child.kill('SIGTERM');
      await ended;
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function spawnServer(folder: string, address: string): ChildProcess {
  const flags = [
    `--config.file=${join(folder, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=${address}`,
    '--log.level=warn',
  ];
  return spawn('setpriv', ['--pdeathsig', 'KILL', 'prometheus', ...flags], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: '/usr/bin:/bin', HOME: folder },
  });
}
