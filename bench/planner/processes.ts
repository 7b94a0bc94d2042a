/**
 * Owns how much of this machine's processors each process of an instance has used, and the machine as a whole; by /proc, as an operator would see it.
 * Never asks the instance. Invariant: what programs used is not counted as a launcher's own: launchers inherit the time of what they waited for.
 */
import { cpus, totalmem } from 'node:os';
import { commandOf, parentOf, processIds, readText } from '../gauges/proc.ts';
import { TICK_MS, toProcessTime } from '../gauges/process-time.ts';
import { lookAtProcessors } from '../recording/machine.ts';

/** Processes of one instance on this machine, by their part in it. */
export interface InstanceProcesses {
  readonly coordinator: number;
  readonly agent: number;
  readonly agentLauncher: number;
  /** Builder, verifier and the builder's launcher: they idle unless something is built. */
  readonly others: readonly number[];
}

/** Processor milliseconds since the start of each; of launchers with all that they have waited for. */
export interface CpuReading {
  readonly atMs: number;
  readonly coordinator: number;
  readonly agent: number;
  readonly launcher: number;
  readonly others: number;
  /** All processors, all processes, and the kernel. */
  readonly busy: number;
  /** What the hypervisor gave to others. */
  readonly steal: number;
}

/** The part of a process, by its command line; null: it is none of an instance on this port. */
function partOf(command: string): 'coordinator' | 'agent' | 'agentLauncher' | 'others' | null {
  if (command.includes('/coordinator/main.ts')) return 'coordinator';
  if (command.includes('/agent/main.ts')) return 'agent';
  if (command.includes('envicutor-launcher') && command.includes('agent-launcher')) return 'agentLauncher';
  if (/builder\/main\.ts|verifier\/main\.ts|builder-launcher/.test(command)) return 'others';
  return null;
}

/** The processes of the `make run` that listens on this port of this machine; null: there is none that we may see. */
export function findProcesses(port: number): InstanceProcesses | null {
  const found = { coordinator: 0, agent: 0, agentLauncher: 0, others: [] as number[] };
  for (const pid of processIds()) {
    const command = commandOf(pid).replaceAll('\0', ' ');
    const part = command.includes(`/envicutor-${port}/`) ? partOf(command) : null;
    // A launcher's own children have its command line: who waits for them is the one whose parent is no launcher.
    if (part === null || (part === 'agentLauncher' && isBelowLauncher(pid))) continue;
    if (part === 'others') found.others.push(pid);
    else found[part] = pid;
  }
  return found.coordinator === 0 || found.agent === 0 || found.agentLauncher === 0 ? null : found;
}

function isBelowLauncher(pid: number): boolean {
  return commandOf(parentOf(pid)).includes('envicutor-launcher');
}

const timeOf = (pid: number) => toProcessTime(readText(`/proc/${pid}/stat`));

/** Everything at this moment. */
export function readCpu(processes: InstanceProcesses | null): CpuReading {
  const { ticks, idleTicks, stealTicks } = lookAtProcessors();
  const launcher = processes === null ? { own: 0, inherited: 0 } : timeOf(processes.agentLauncher);
  return {
    atMs: performance.now(),
    coordinator: processes === null ? 0 : timeOf(processes.coordinator).own,
    agent: processes === null ? 0 : timeOf(processes.agent).own,
    launcher: launcher.own + launcher.inherited,
    others: processes === null ? 0 : processes.others.reduce((sum, pid) => sum + timeOf(pid).own, 0),
    busy: (ticks - idleTicks - stealTicks) * TICK_MS,
    steal: stealTicks * TICK_MS,
  };
}

/** What was used between two readings; milliseconds. */
export function usedBetween(before: CpuReading, after: CpuReading): CpuReading {
  const difference = (name: keyof CpuReading) => after[name] - before[name];
  return {
    atMs: difference('atMs'),
    coordinator: difference('coordinator'),
    agent: difference('agent'),
    launcher: difference('launcher'),
    others: difference('others'),
    busy: difference('busy'),
    steal: difference('steal'),
  };
}

/** What a planner's machine is. */
export interface Machine {
  readonly cores: number;
  readonly memoryBytes: number;
}

/** This one. */
export function thisMachine(): Machine {
  return { cores: cpus().length, memoryBytes: totalmem() };
}
