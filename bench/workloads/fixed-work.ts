/**
 * Owns the calibrated program of scenarios that ask how steady times are: fixed work of so many milliseconds, in a sandbox with a processor of its own and
 * bare on the same one, and a neighbour that keeps the other processor busy.
 * Never judges a time. Invariant: the work is the same in all of them, and was measured bare and alone.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { parseCpus } from '../../agent/execution/slot-cpus.ts';
import { createMachineReader, Processors } from '../../agent/timing/processors.ts';
import type { LaunchReport } from '../../shared/sandbox/sandbox.ts';
import { percentile } from '../statistics/quantiles.ts';
import type { BenchLauncher } from './bench-launcher.ts';
import { compiledProgram } from './compiled-program.ts';

const OWN = '0';
const CALIBRATION_ROUNDS = 400;
const CALIBRATIONS = 5;

/** A processor of this process that is of another core: a sibling of ours would take half of ours. */
function neighboursCpu(): number | null {
  const allowed = allowedCpus('self');
  const { siblings } = new Processors(createMachineReader()).facts([Number(OWN)]);
  return allowed.find((cpu) => cpu !== Number(OWN) && !siblings.includes(cpu)) ?? null;
}

function allowedCpus(id: number | 'self'): readonly number[] {
  const [, list = ''] = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync(`/proc/${id}/status`, 'utf8')) ?? [];
  return parseCpus(list) ?? [];
}

/** Why this machine can't be asked, or null. */
export function whyNotHere({ sandbox }: BenchLauncher): string | null {
  if (!allowedCpus('self').includes(Number(OWN))) return `processor ${OWN} is not this process's to use`;
  if (neighboursCpu() === null) return 'this machine has one core: no neighbour can be busy on another';
  return sandbox.facts.missing.includes('cpuset') ? 'this host can not bind programs to processors' : null;
}

function runBare(rounds: number): number {
  const program = [compiledProgram('programs/fixed-work.c'), OWN, String(rounds)];
  const { status, stdout } = spawnSync(compiledProgram('programs/bare-usage.c'), program, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`fixed work without a sandbox ended with ${status}`);
  return Number(stdout.split('\n')[0]) / 1e6;
}

/** Work that has been calibrated. */
export class FixedWork {
  readonly #launcher: BenchLauncher;
  readonly #rounds: number;

  private constructor(launcher: BenchLauncher, rounds: number) {
    this.#launcher = launcher;
    this.#rounds = rounds;
  }

  /** Work of so many milliseconds of processor time, bare and alone. */
  static calibrate(launcher: BenchLauncher, ms: number): FixedWork {
    const times = Array.from({ length: CALIBRATIONS }, () => runBare(CALIBRATION_ROUNDS));
    return new FixedWork(launcher, Math.max(1, Math.round((CALIBRATION_ROUNDS * ms) / percentile(times, 0.5))));
  }

  /** Its processor time by wait4; milliseconds. */
  bare(): number {
    return runBare(this.#rounds);
  }

  /** In a sandbox that has the processor to itself, below this limit of processor time. */
  async sandboxed(cpuTimeMs = 60_000): Promise<LaunchReport> {
    const limits = this.#launcher.limits({ cpuTimeMs, wallTimeMs: 120_000, idleTimeMs: 120_000 });
    const argv = ['/programs/fixed-work', OWN, String(this.#rounds)];
    return await this.#launcher.sandbox.launch(this.#launcher.spec(argv, { cpus: OWN, limits })).report;
  }
}

/** Keeps a processor of another core busy until `stop`. */
export class BusyNeighbour {
  readonly #process: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#process = child;
  }

  /** Resolves when it is on its processor, and nowhere else. */
  static async start(): Promise<BusyNeighbour> {
    const cpu = neighboursCpu();
    const words = [String(cpu), '1000000000'];
    const child = spawn(compiledProgram('programs/fixed-work.c'), words, { stdio: 'ignore' });
    await once(child, 'spawn');
    const neighbour = new BusyNeighbour(child);
    const isThere = () => {
      const cpus = allowedCpus(child.pid ?? 0);
      return cpus.length === 1 && cpus[0] === cpu;
    };
    while (neighbour.#isRunning && !isThere()) await nextTurn();
    return neighbour;
  }

  get #isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Throws when it had ended before: what was measured beside it was measured alone. */
  async stop(): Promise<void> {
    if (!this.#isRunning)
      throw new Error(`the busy neighbour ended with ${this.#process.exitCode} before it was stopped`);
    this.#process.kill('SIGKILL');
    await once(this.#process, 'exit');
  }
}
