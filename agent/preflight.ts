/**
 * Owns what must be true of this machine before the agent starts: a launcher that answers, a kernel, cgroups, a state directory, room.
 * Never repairs anything and never starts half: every problem is one sentence with its remedy.
 */
import { constants, readFileSync } from 'node:fs';
import { access, mkdir, statfs } from 'node:fs/promises';
import { type Clock, passed } from '../shared/clock.ts';
import { toSystemError } from '../shared/errors.ts';
import { limitDefaults } from '../shared/model/limits.ts';
import { WORKSPACE_DIRECTORY } from '../shared/model/toolchain-variables.ts';
import { toFailureSentence } from '../shared/sandbox/launch-failure.ts';
import type { LaunchSpec, Sandbox, SandboxFacts } from '../shared/sandbox/sandbox.ts';
import { parseCpus, type SlotCpus, toSlotCpus } from './execution/slot-cpus.ts';

/** What preflight looks at. */
export interface PreflightOptions {
  readonly stateDirectory: string;
  readonly diskFreeBytesMin: number;
  readonly launcherWaitMs: number;
  /** 0: one for each core. */
  readonly slots: number;
  readonly slotCpus: string;
  /** Connects to the launcher; tried again until `launcherWaitMs` are over. */
  readonly connect: () => Promise<Sandbox>;
  readonly clock: Clock;
}

/** A sandbox to work with, or why not. */
export type PreflightOutcome =
  | { readonly sandbox: Sandbox; readonly slotCpus: readonly SlotCpus[]; readonly problems: readonly [] }
  | { readonly problems: readonly string[] };

const probe: LaunchSpec = {
  ...{ profile: 'command', layers: [], kept: [], isKept: false, target: null, capture: null, argv: ['/bin/true'] },
  ...{ environment: {}, directory: WORKSPACE_DIRECTORY, files: [], systemFiles: [], stdin: null, egress: null },
  ...{ limits: limitDefaults.run, cpuShares: 1024, cpus: null, terminal: null, collect: null },
};
const KERNEL_MIN = [6, 6] as const;
const CONNECT_INTERVAL_MS = 50;
const GiB = 1024 ** 3;

/** Looks at everything and names every problem. */
export async function preflight(options: PreflightOptions): Promise<PreflightOutcome> {
  const problems = [await checkStateDirectory(options.stateDirectory), await checkRoom(options)];
  try {
    const sandbox = await connect(options);
    problems.push(...checkMachine(sandbox.facts));
    const slots = options.slots === 0 ? sandbox.facts.cores : options.slots;
    const { cpus, problem } = toSlotCpus(options.slotCpus, slots, onlineCpus(sandbox.facts));
    problems.push(problem ?? (await checkSlotCpus(sandbox, cpus)));
    const found = problems.filter((each) => each !== null);
    if (found.length === 0) return { sandbox, slotCpus: cpus ?? [], problems: [] };
    await sandbox.close();
    return { problems: found };
  } catch (error) {
    return { problems: [...problems, toSystemError(error).message].filter((problem) => problem !== null) };
  }
}

async function connect({ connect: attempt, launcherWaitMs, clock }: PreflightOptions): Promise<Sandbox> {
  const deadlineMs = clock.monotonicMs() + launcherWaitMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (clock.monotonicMs() >= deadlineMs) throw error;
    }
    await passed(clock, CONNECT_INTERVAL_MS);
  }
}

async function checkStateDirectory(directory: string): Promise<string | null> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    return null;
  } catch (error) {
    return `the state directory ${directory} can't be used (${toCode(error)}); make it writable for this user, or set stateDirectory (ENVICUTOR_AGENT_STATE_DIRECTORY)`;
  }
}

async function checkRoom({ stateDirectory, diskFreeBytesMin }: PreflightOptions): Promise<string | null> {
  try {
    const { bavail, bsize } = await statfs(stateDirectory);
    const free = bavail * bsize;
    if (free >= diskFreeBytesMin) return null;
    return `${toGiB(free)} GiB are free at ${stateDirectory}, ${toGiB(diskFreeBytesMin)} GiB are needed for layers; make room, or lower diskFreeBytesMin (ENVICUTOR_AGENT_DISK_FREE_BYTES_MIN)`;
  } catch {
    // The state directory has its own sentence.
    return null;
  }
}

function checkMachine(facts: SandboxFacts): string[] {
  const problems: string[] = [];
  const [major = 0, minor = 0] = facts.kernel.split('.').map((part) => Number.parseInt(part, 10));
  if (major < KERNEL_MIN[0] || (major === KERNEL_MIN[0] && minor < KERNEL_MIN[1]))
    problems.push(`the kernel is ${facts.kernel}; sandboxes need ${KERNEL_MIN.join('.')} or newer`);
  if (facts.cgroup === 'none')
    problems.push(
      'the launcher found no cgroup hierarchy with memory, pids and cpu; mount cgroup2 on /sys/fs/cgroup, or delegate one to it',
    );
  return problems;
}

function onlineCpus({ cores }: SandboxFacts): readonly number[] {
  try {
    const online = parseCpus(readFileSync('/sys/devices/system/cpu/online', 'utf8'));
    if (online !== null) return online;
  } catch {
    // No sysfs here: then they are counted from 0.
  }
  return Array.from({ length: cores }, (_, cpu) => cpu);
}

/** A program is run on the processors of each slot: whether a host can pin is known only by pinning. */
async function checkSlotCpus(sandbox: Sandbox, slotCpus: readonly SlotCpus[] | null): Promise<string | null> {
  for (const cpus of slotCpus ?? []) {
    if (cpus === null) continue;
    const { end, failure } = await sandbox.launch({ ...probe, cpus }).report;
    if (end !== 'setup-failed' || failure === null) continue;
    return `programs can't be bound to the processors ${cpus} of slotCpus (ENVICUTOR_AGENT_SLOT_CPUS): ${toFailureSentence(failure)}`;
  }
  return null;
}

function toCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

function toGiB(bytes: number): string {
  return (bytes / GiB).toFixed(1);
}
