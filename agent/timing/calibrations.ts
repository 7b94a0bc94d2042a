/**
 * Owns the calibration of slots that have processors of their own: the same fixed work several times in a sandbox there, at the start and again and again.
 * Never runs beside an execution on its slot: it takes the slot for as long, and comes back later to one that is taken. Nothing is calibrated that is not
 * pinned, since its processors are everybody's. Invariant: a slot that was borrowed is given back on every way out.
 */
import { type Clock, type Timer, toTimestamp } from '../../shared/clock.ts';
import { toSystemError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import { limitDefaults } from '../../shared/model/limits.ts';
import type { TimingCalibration } from '../../shared/model/timing-certificate.ts';
import { WORKSPACE_DIRECTORY } from '../../shared/model/toolchain-variables.ts';
import type { Launch, LaunchSpec, Sandbox } from '../../shared/sandbox/sandbox.ts';
import type { BorrowedSlot } from '../execution/lent-slots.ts';
import type { SlotCpus } from '../execution/slot-cpus.ts';

/** What calibrating needs. */
export interface CalibrationNeeds {
  readonly sandbox: Pick<Sandbox, 'launch'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** This slot, while it is free; null: it is not. */
  readonly borrow: (slot: number, memoryBytes: number) => BorrowedSlot | null;
}

/** How often it is done; the first time warms the processor up and does not count. */
const RUNS = 10;
const MEMORY_BYTES = 64 * 1024 * 1024;
/** A slot that was taken is looked at again after so long. */
const AGAIN_MS = 5000;
/** Fixed work of some 40 ms, by the shell that every machine has. */
const WORK = 'i=0; while [ "$i" -lt 60000 ]; do i=$((i+1)); done';

const work: LaunchSpec = {
  ...{ profile: 'command', layers: [], kept: [], isKept: false, target: null, capture: null },
  ...{ argv: ['/bin/sh', '-c', WORK], environment: {}, directory: WORKSPACE_DIRECTORY, files: [], systemFiles: [] },
  ...{ stdin: null, egress: null, limits: { ...limitDefaults.run, memoryBytes: MEMORY_BYTES } },
  ...{ cpuShares: 1024, cpus: null, terminal: null, collect: null },
};

/** See the head of this file; `start` and `stop` are idempotent. */
export class Calibrations {
  readonly #needs: CalibrationNeeds;
  readonly #slotCpus: readonly SlotCpus[];
  readonly #intervalMs: number;
  readonly #found = new Map<SlotCpus, { readonly calibration: TimingCalibration; readonly atMs: number }>();
  #timer: Timer | null = null;
  #round: Promise<void> | null = null;
  #launch: Launch | null = null;
  #isStopped = false;

  /** `intervalMs`: 0: never. */
  constructor(needs: CalibrationNeeds, slotCpus: readonly SlotCpus[], intervalMs: number) {
    this.#needs = needs;
    this.#slotCpus = slotCpus;
    this.#intervalMs = intervalMs;
  }

  /** The last calibration of these processors. */
  of(cpus: SlotCpus): TimingCalibration | null {
    return this.#found.get(cpus)?.calibration ?? null;
  }

  start(): void {
    if (this.#intervalMs === 0 || this.#round !== null) return;
    if (this.#slotCpus.every((cpus) => cpus === null)) return;
    this.#round = this.#calibrateDue();
  }

  /** Resolves when nothing of it runs any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#launch?.kill();
    await this.#round;
  }

  /** Every slot whose last calibration is old, one after another. */
  async #calibrateDue(): Promise<void> {
    const { clock, borrow } = this.#needs;
    let isAllDone = true;
    for (const [slot, cpus] of this.#slotCpus.entries()) {
      if (cpus === null || this.#isStopped || !this.#isDue(cpus)) continue;
      const borrowed = borrow(slot, MEMORY_BYTES);
      if (borrowed === null) isAllDone = false;
      else await this.#calibrate(cpus).finally(() => borrowed.giveBack());
    }
    if (this.#isStopped) return;
    this.#timer = clock.after(isAllDone ? this.#intervalMs : Math.min(AGAIN_MS, this.#intervalMs), () => {
      this.#round = this.#calibrateDue();
    });
  }

  #isDue(cpus: SlotCpus): boolean {
    const atMs = this.#found.get(cpus)?.atMs;
    return atMs === undefined || this.#needs.clock.monotonicMs() - atMs >= this.#intervalMs;
  }

  async #calibrate(cpus: SlotCpus): Promise<void> {
    const { sandbox, clock, logger } = this.#needs;
    const times: number[] = [];
    try {
      for (let run = 0; run <= RUNS && !this.#isStopped; run += 1) {
        this.#launch = sandbox.launch({ ...work, cpus });
        const { exitCode, cpuTimeMs } = await this.#launch.report;
        if (this.#isStopped) return;
        if (exitCode !== 0) throw new Error(`the work ended with ${exitCode}`);
        if (run > 0) times.push(cpuTimeMs);
      }
    } catch (error) {
      logger.warn({ cpus, detail: toSystemError(error).message }, 'processors not calibrated');
      return;
    }
    if (times.length < RUNS) return;
    const calibration = { at: toTimestamp(clock.nowMs()), ...summarise(times) };
    this.#found.set(cpus, { calibration, atMs: clock.monotonicMs() });
    logger.info({ cpus, ...calibration }, 'processors calibrated');
  }
}

/** The median of times, and how much they differ. */
export function summarise(times: readonly number[]): Omit<TimingCalibration, 'at'> {
  const sorted = [...times].sort((one, other) => one - other);
  const mean = times.reduce((sum, each) => sum + each, 0) / times.length;
  const variance = times.reduce((sum, each) => sum + (each - mean) ** 2, 0) / times.length;
  return {
    runs: times.length,
    cpuTimeMs: sorted[Math.floor(sorted.length / 2)] ?? 0,
    coefficientOfVariation: mean === 0 ? 0 : Math.sqrt(variance) / mean,
  };
}
