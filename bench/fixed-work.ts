/**
 * Owns the calibrated program of scenarios that ask how steady times are: fixed work of so many milliseconds, in a sandbox with a processor of its own and
 * bare on the same one, and a neighbour that keeps the other processor busy.
 * Never judges a time. Invariant: the work is the same in all of them, and was measured bare and alone.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import type { LaunchReport } from '../shared/sandbox/sandbox.ts';
import type { BenchLauncher } from './bench-launcher.ts';
import { compiledProgram } from './compiled-program.ts';
import { percentile } from './statistics/quantiles.ts';

const OWN = '0';
const NEIGHBOURS = '1';
const CALIBRATION_ROUNDS = 400;
const CALIBRATIONS = 5;

/** Why this machine can't be asked, or null. */
export function whyNotHere({ sandbox }: BenchLauncher): string | null {
  if (availableParallelism() < 2) return 'this machine has one processor: no neighbour can be busy on another';
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

/** Keeps the other processor busy until `stop`. */
export class BusyNeighbour {
  readonly #process: ChildProcess = spawn(compiledProgram('programs/fixed-work.c'), [NEIGHBOURS, '1000000000'], {
    stdio: 'ignore',
  });

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill('SIGKILL');
    await once(this.#process, 'exit');
  }
}
