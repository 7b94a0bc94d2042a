/**
 * Owns looking at the processors of a slot before and after a program runs there, and making a certificate of what was seen.
 * Never runs anything and never delays a program: two looks at a few files are all. Invariant: a certificate is about the time between them.
 */
import type { Clock } from '../../shared/clock.ts';
import type { TimingCalibration, TimingCertificate, TimingMoment } from '../../shared/model/timing-certificate.ts';
import type { Report } from '../../shared/model/verdict.ts';
import type { SlotCpus } from '../execution/slot-cpus.ts';
import type { Slots } from '../execution/slots.ts';
import { toCertificate } from './judgement.ts';
import { type CpuFacts, type CpuTimes, cpusOf, type Processors, sumOfTimes } from './processors.ts';

/** Watches programs. */
export interface TimingWatcher {
  /** A program is about to run on these processors. */
  begin(cpus: SlotCpus): TimingWatch;
}

/** One program, or several one after another, that are watched. */
export interface TimingWatch {
  /** All of them have ended, with these reports. */
  end(reports: readonly Report[]): TimingCertificate;
}

/** What a witness needs. */
export interface TimingWitnessNeeds {
  readonly processors: Processors;
  readonly slots: Pick<Slots, 'total' | 'free' | 'takes'>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly calibrations: { of(cpus: SlotCpus): TimingCalibration | null };
}

/** What lasts is looked at again so often. */
const FACTS_MS = 60_000;

interface Look {
  readonly atMs: number;
  readonly times: ReadonlyMap<number, CpuTimes> | null;
  readonly moment: TimingMoment;
  readonly takes: number;
  readonly taken: number;
}

/** See the head of this file. */
export class TimingWitness implements TimingWatcher {
  readonly #needs: TimingWitnessNeeds;
  readonly #facts = new Map<SlotCpus, { readonly facts: CpuFacts; readonly atMs: number }>();

  constructor(needs: TimingWitnessNeeds) {
    this.#needs = needs;
  }

  begin(cpus: SlotCpus): TimingWatch {
    const numbers = cpusOf(cpus);
    const before = this.#look(numbers);
    return { end: (reports) => this.#certify(cpus, numbers, before, reports) };
  }

  #look(cpus: readonly number[]): Look {
    const { processors, slots, clock } = this.#needs;
    const times = processors.times();
    const stealMs = times === null ? null : sumOfTimes(times, cpus.length === 0 ? [...times.keys()] : cpus, 'stealMs');
    const moment = {
      stealMs,
      frequencyKhz: processors.frequencyKhz(cpus),
      thermalThrottles: processors.thermalThrottles(cpus),
    };
    return { atMs: clock.monotonicMs(), times, moment, takes: slots.takes, taken: slots.total - slots.free };
  }

  #certify(cpus: SlotCpus, numbers: readonly number[], before: Look, reports: readonly Report[]): TimingCertificate {
    const after = this.#look(numbers);
    const { siblings, ...lasting } = this.#lasting(cpus, numbers, after.atMs);
    const sum = (name: keyof Report['usage']) => reports.reduce((total, { usage }) => total + usage[name], 0);
    const cpuTimeMs = sum('cpuTimeMs');
    const busyMs = grownBy(before, after, numbers);
    return toCertificate({
      cpus,
      // The launcher does both for whoever has processors of its own.
      isAddressSpaceFixed: cpus !== null,
      areHugePagesOff: cpus !== null,
      ...lasting,
      // One that hides shows itself by what it keeps: without control of the frequency nothing is clean.
      isVirtual: lasting.isVirtual === true,
      before: before.moment,
      after: after.moment,
      cpuTimeMs,
      wallTimeMs: after.atMs - before.atMs,
      elsewhereMs: busyMs === null ? null : Math.max(0, busyMs - cpuTimeMs),
      siblingsMs: grownBy(before, after, siblings),
      voluntarySwitches: sum('voluntarySwitches'),
      involuntarySwitches: sum('involuntarySwitches'),
      throttledMs: sum('throttledMs'),
      neighbours: Math.max(0, before.taken - 1) + (after.takes - before.takes),
      slots: new Set(reports.map(({ slot }) => slot)).size,
      calibration: this.#needs.calibrations.of(cpus),
    });
  }

  #lasting(cpus: SlotCpus, numbers: readonly number[], nowMs: number): CpuFacts {
    const known = this.#facts.get(cpus);
    if (known !== undefined && nowMs - known.atMs < FACTS_MS) return known.facts;
    const facts = this.#needs.processors.facts(numbers);
    this.#facts.set(cpus, { facts, atMs: nowMs });
    return facts;
  }
}

/** What these processors have worked between two looks; null: not known, or there are none. */
function grownBy(before: Look, after: Look, cpus: readonly number[]): number | null {
  if (cpus.length === 0 || before.times === null || after.times === null) return null;
  const [from, to] = [sumOfTimes(before.times, cpus, 'busyMs'), sumOfTimes(after.times, cpus, 'busyMs')];
  return from === null || to === null ? null : Math.max(0, to - from);
}
