/**
 * Owns the facts about the machine that a figure was taken on, and what others did on it meanwhile; a figure without them is not a figure.
 * Never waits: what took time is the difference of two looks.
 */
import { cpus, loadavg, release, totalmem } from 'node:os';
import { readText } from '../gauges/proc.ts';
import type { RecordedMachine } from './recording.ts';

const GIBIBYTE = 2 ** 30;

/** What does not change while it runs. */
export function machineFacts(): RecordedMachine {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / GIBIBYTE),
    kernel: release(),
    node: process.version,
    governor: readText('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor').trim() || 'none',
    cgroups: cgroupMode(),
    isVirtual: / hypervisor( |$)/m.test(readText('/proc/cpuinfo')),
  };
}

/** A look at its processors. */
export interface ProcessorLook {
  /** Since boot, all processors together, in ticks of the kernel. */
  readonly ticks: number;
  /** Of them, what nobody used. */
  readonly idleTicks: number;
  /** Of them, what the hypervisor gave to others. */
  readonly stealTicks: number;
  /** Programs that could run, over the last minute. */
  readonly load: number;
}

/** Looks now. */
export function lookAtProcessors(): ProcessorLook {
  const fields = /^cpu +(.*)$/m.exec(readText('/proc/stat'))?.[1]?.split(' ').map(Number) ?? [];
  // Without the last two: what guests used is in the first two already.
  const ticks = fields.slice(0, 8).reduce((sum, each) => sum + each, 0);
  const [, , , idle = 0, waiting = 0, , , stealTicks = 0] = fields;
  return { ticks, idleTicks: idle + waiting, stealTicks, load: loadavg()[0] ?? 0 };
}

/** The share of all processor time between two looks that the hypervisor gave to others, 0 to 1. */
export function stealBetween(before: ProcessorLook, after: ProcessorLook): number {
  return after.ticks > before.ticks ? (after.stealTicks - before.stealTicks) / (after.ticks - before.ticks) : 0;
}

function cgroupMode(): string {
  const mounts = readText('/proc/self/mounts');
  const [hasOne, hasTwo] = [/^\S+ \S+ cgroup /m.test(mounts), /^\S+ \S+ cgroup2 /m.test(mounts)];
  if (hasOne && hasTwo) return 'hybrid';
  if (hasTwo) return 'v2';
  return hasOne ? 'v1' : 'none';
}

/** The machine in one line of a report. */
export function describeMachine(machine: RecordedMachine): string {
  const { processor, cores, memoryGiB, kernel, node, governor, cgroups, isVirtual } = machine;
  const kind = isVirtual ? 'virtual machine' : 'bare metal';
  return `${processor}, ${cores} cores, ${memoryGiB} GiB, ${kind}, Linux ${kernel}, cgroups ${cgroups}, governor ${governor}, Node ${node}`;
}
