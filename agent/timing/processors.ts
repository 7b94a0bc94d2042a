/**
 * Owns what can be seen of this machine's processors: their times, frequencies, throttling, siblings; out of the files in which the kernel says it.
 * Never changes anything. Invariant: what a file does not say is null, never a guess.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { parseCpus, type SlotCpus } from '../execution/slot-cpus.ts';

/** The text of a file of /proc or /sys; null: it is not there. All that this agent sees of its machine comes through here. */
export type ReadMachine = (path: string) => string | null;

/** Times of one processor since the machine's start; milliseconds; null: the kernel does not count them. */
export interface CpuTimes {
  readonly busyMs: number | null;
  readonly stealMs: number | null;
}

/** What does not change while a program runs, of the processors of one slot. */
export interface CpuFacts {
  /** Does a hypervisor show itself? Null: not known. */
  readonly isVirtual: boolean | null;
  readonly governor: string | null;
  readonly isBoosted: boolean | null;
  /** Other threads of its cores that are not its own. */
  readonly siblings: readonly number[];
}

/** The kernel counts in hundredths of a second towards programs, whatever its own tick is. */
const TICK_MS = 10;
const STAT = '/proc/stat';
const cpuFolder = (cpu: number) => `/sys/devices/system/cpu/cpu${cpu}`;

/** See the head of this file. */
export class Processors {
  readonly #read: ReadMachine;

  constructor(read: ReadMachine) {
    this.#read = read;
  }

  /** Of every processor by its number; null: not known. */
  times(): ReadonlyMap<number, CpuTimes> | null {
    const text = this.#read(STAT);
    if (text === null) return null;
    const times = new Map<number, CpuTimes>();
    for (const [, cpu, fields = ''] of text.matchAll(/^cpu(\d+) (.*)$/gm)) {
      const [user, nice, system, , , interrupts, softInterrupts, steal] = fields.split(' ').map(Number);
      const busyMs = toMs([user, nice, system, interrupts, softInterrupts]);
      times.set(Number(cpu), { busyMs, stealMs: toMs([steal]) });
    }
    return times.size === 0 ? null : times;
  }

  /** Of the slowest of these processors; null: not known of one of them. */
  frequencyKhz(cpus: readonly number[]): number | null {
    const all = allKnown(cpus.map((cpu) => this.#number(`${cpuFolder(cpu)}/cpufreq/scaling_cur_freq`)));
    return all === null ? null : Math.min(...all);
  }

  /** How often these were slowed down; null: not known of one of them. */
  thermalThrottles(cpus: readonly number[]): number | null {
    return sum(cpus.map((cpu) => this.#number(`${cpuFolder(cpu)}/thermal_throttle/core_throttle_count`)));
  }

  /** Does a hypervisor show itself? Null: the machine does not tell, as no arm64 does. */
  isVirtual(): boolean | null {
    const flags = /^flags\s*:\s*(.*)$/m.exec(this.#read('/proc/cpuinfo') ?? '')?.[1];
    return flags === undefined ? null : flags.split(' ').includes('hypervisor');
  }

  /** What lasts, of these processors. */
  facts(cpus: readonly number[]): CpuFacts {
    const governors = new Set(cpus.map((cpu) => this.#word(`${cpuFolder(cpu)}/cpufreq/scaling_governor`)));
    const siblings = cpus.flatMap((cpu) => {
      return parseCpus(this.#read(`${cpuFolder(cpu)}/topology/thread_siblings_list`) ?? '') ?? [];
    });
    return {
      isVirtual: this.isVirtual(),
      governor: governors.has(null) || governors.size === 0 ? null : [...governors].join(' '),
      isBoosted: this.#isBoosted(),
      siblings: [...new Set(siblings)].filter((cpu) => !cpus.includes(cpu)),
    };
  }

  #isBoosted(): boolean | null {
    const off = this.#word('/sys/devices/system/cpu/intel_pstate/no_turbo');
    if (off !== null) return off === '0';
    const on = this.#word('/sys/devices/system/cpu/cpufreq/boost');
    return on === null ? null : on !== '0';
  }

  #word(path: string): string | null {
    return this.#read(path)?.trim() ?? null;
  }

  #number(path: string): number | null {
    const word = this.#word(path);
    return word !== null && /^\d+$/.test(word) ? Number(word) : null;
  }
}

/** Of these processors together; null: not known of one of them, or there are none. */
export function sumOfTimes(
  times: ReadonlyMap<number, CpuTimes>,
  cpus: readonly number[],
  what: keyof CpuTimes,
): number | null {
  return sum(cpus.map((cpu) => times.get(cpu)?.[what] ?? null));
}

/** Null: one of them is missing, or there is none. */
function allKnown(values: readonly (number | null | undefined)[]): number[] | null {
  const known = values.filter((value) => typeof value === 'number' && !Number.isNaN(value)) as number[];
  return known.length === 0 || known.length < values.length ? null : known;
}

function sum(values: readonly (number | null | undefined)[]): number | null {
  return allKnown(values)?.reduce((total, each) => total + each, 0) ?? null;
}

function toMs(ticks: readonly (number | undefined)[]): number | null {
  const all = sum(ticks);
  return all === null ? null : all * TICK_MS;
}

/** The numbers of a slot's processors; of any: none. */
export function cpusOf(cpus: SlotCpus): readonly number[] {
  return cpus === null ? [] : (parseCpus(cpus) ?? []);
}

/** More than the kernel says of a thousand processors; what comes after the lines of processors is not read. */
const TEXT_BYTES_MAX = 256 * 1024;

/** This machine's own files. Read at every execution, so into one buffer, and what is not there at the first look is not looked for again. */
export function createMachineReader(): ReadMachine {
  const buffer = Buffer.allocUnsafe(TEXT_BYTES_MAX);
  const absent = new Set<string>();
  return (path) => {
    if (absent.has(path)) return null;
    let file: number | null = null;
    try {
      file = openSync(path, 'r');
      return buffer.toString('latin1', 0, readSync(file, buffer, 0, TEXT_BYTES_MAX, null));
    } catch {
      absent.add(path);
      return null;
    } finally {
      if (file !== null) closeSync(file);
    }
  };
}
