/**
 * Owns how much of this machine's processors each process of an instance has used, and the machine as a whole; by /proc, as an operator would see it.
 * Never asks the instance. Invariant: what programs used is not counted as a launcher's own: launchers inherit the time of what they waited for.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';

const TICK_MS = 10;

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

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
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
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const command = read(`/proc/${name}/cmdline`).replaceAll('\0', ' ');
    const part = command.includes(`/envicutor-${port}/`) ? partOf(command) : null;
    // A launcher's own children have its command line: who waits for them is the one whose parent is no launcher.
    if (part === null || (part === 'agentLauncher' && isBelowLauncher(Number(name)))) continue;
    if (part === 'others') found.others.push(Number(name));
    else found[part] = Number(name);
  }
  return found.coordinator === 0 || found.agent === 0 || found.agentLauncher === 0 ? null : found;
}

function isBelowLauncher(pid: number): boolean {
  const parent = /^PPid:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? '0';
  return read(`/proc/${parent}/cmdline`).includes('envicutor-launcher');
}

/** Own and inherited processor time of a process; milliseconds. */
function cpuOf(pid: number): { readonly own: number; readonly inherited: number } {
  const text = read(`/proc/${pid}/stat`);
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const at = (index: number) => (fields[index] ?? 0) * TICK_MS;
  return { own: at(11) + at(12), inherited: at(13) + at(14) };
}

/** Everything at this moment. */
export function readCpu(processes: InstanceProcesses | null): CpuReading {
  const fields = (/^cpu +(.*)$/m.exec(read('/proc/stat'))?.[1] ?? '').split(' ').map(Number);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = fields;
  const launcher = processes === null ? { own: 0, inherited: 0 } : cpuOf(processes.agentLauncher);
  return {
    atMs: performance.now(),
    coordinator: processes === null ? 0 : cpuOf(processes.coordinator).own,
    agent: processes === null ? 0 : cpuOf(processes.agent).own,
    launcher: launcher.own + launcher.inherited,
    others: processes === null ? 0 : processes.others.reduce((sum, pid) => sum + cpuOf(pid).own, 0),
    busy: (user + nice + system + irq + softirq) * TICK_MS,
    steal: steal * TICK_MS,
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
  const kibibytes = Number(/^MemTotal:\s+(\d+) kB/m.exec(read('/proc/meminfo'))?.[1] ?? 0);
  return { cores: cpus().length, memoryBytes: kibibytes * 1024 };
}
