/**
 * Owns what must be true before an agent starts: a state directory, room, user namespaces, a launcher that answers, its kernel and cgroups, slots
 * that can be. Never repairs anything. Invariant: agent and `preflight` look at this one list, in its order.
 */
import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { toSystemError } from '../../shared/errors.ts';
import { limitDefaults } from '../../shared/model/limits.ts';
import { WORKSPACE_DIRECTORY } from '../../shared/model/toolchain-variables.ts';
import { CONTRACT_VERSION } from '../../shared/sandbox/contract.ts';
import { toFailureSentence } from '../../shared/sandbox/launch-failure.ts';
import type { LaunchSpec, Sandbox, SandboxFacts } from '../../shared/sandbox/sandbox.ts';
import { type SlotCpus, type SlotCpusOutcome, toSlotCpus } from '../execution/slot-cpus.ts';
import { kernelRelease, type Machine, onlineCpus } from './machine.ts';
import { type Finding, judged, ok, type Requirement, unknown, untold, wrong } from './requirement.ts';

/** What a start looks at. */
export interface StartSubject {
  readonly machine: Machine;
  readonly stateDirectory: string;
  /** Who only looks makes no folder: it would be of the wrong user. */
  readonly mayMakeFolders: boolean;
  readonly diskFreeBytesMin: number;
  /** 0: one for each core. */
  readonly slots: number;
  readonly slotCpus: string;
  /** The same sandbox, or the same rejection, each time. */
  readonly sandbox: () => Promise<Sandbox>;
}

/** One that must be met. */
export type StartRequirement = Requirement<StartSubject>;

const probe: LaunchSpec = {
  ...{ profile: 'command', layers: [], kept: [], isKept: false, target: null, capture: null, argv: ['/bin/true'] },
  ...{ environment: {}, directory: WORKSPACE_DIRECTORY, files: [], systemFiles: [], stdin: null, egress: null },
  ...{ limits: limitDefaults.run, cpuShares: 1024, cpus: null, terminal: null, collect: null },
};
const KERNEL_MIN = [6, 6] as const;
const GiB = 1024 ** 3;
const NO_LAUNCHER = 'the launcher does not answer';

/** In the order in which a start looks. */
export const startRequirements: readonly StartRequirement[] = [
  {
    id: 'state-directory',
    about: 'The folder of key pair, id and index of layers can be read and written; a start makes it where it may.',
    needed: 'a writable folder',
    severity: 'must',
    remedy: 'make it, writable for the user of the agent, or set stateDirectory (ENVICUTOR_AGENT_STATE_DIRECTORY)',
    look: lookAtStateDirectory,
  },
  {
    id: 'disk-free',
    about: 'Room for the first layers where the state directory lies.',
    needed: 'diskFreeBytesMin (ENVICUTOR_AGENT_DISK_FREE_BYTES_MIN)',
    severity: 'must',
    remedy: 'make room, or lower diskFreeBytesMin (ENVICUTOR_AGENT_DISK_FREE_BYTES_MIN)',
    look: lookAtRoom,
  },
  {
    id: 'user-namespaces',
    about: 'Each sandbox has a user namespace of its own.',
    needed: 'at least 1 namespace',
    severity: 'must',
    remedy: 'sysctl -w user.max_user_namespaces=65536',
    look: ({ machine }) => {
      const text = machine.read('/proc/sys/user/max_user_namespaces');
      return text === null ? untold : judged(Number(text) > 0, text.trim());
    },
  },
  {
    id: 'launcher',
    about: 'The launcher answers, and speaks the contract of this program.',
    needed: `contract ${CONTRACT_VERSION}`,
    severity: 'must',
    remedy: 'start the launcher of this release, and run this as the user that it serves (--client-uid)',
    look: lookAtLauncher,
  },
  {
    id: 'kernel',
    about: 'Sandboxes need idmapped mounts and user xattrs on tmpfs.',
    needed: `${KERNEL_MIN.join('.')} or newer`,
    severity: 'must',
    remedy: 'boot a newer kernel',
    look: async ({ machine, sandbox }) =>
      lookAtKernel((await factsOf(sandbox))?.kernel ?? kernelRelease(machine) ?? null),
  },
  {
    id: 'cgroups',
    about: 'A hierarchy with memory, pids and cpu, of either version: without it no limit could be enforced.',
    needed: 'v2 or v1',
    severity: 'must',
    remedy: 'mount cgroup2 on /sys/fs/cgroup, or delegate one to the launcher',
    look: async ({ sandbox }) => lookAtCgroups(await factsOf(sandbox)),
  },
  {
    id: 'slot-cpus',
    about: 'Programs can be bound to the processors that slotCpus gives to each slot.',
    needed: 'a setting that fits, and a cpuset',
    severity: 'must',
    remedy: 'change slotCpus (ENVICUTOR_AGENT_SLOT_CPUS)',
    look: lookAtSlotCpus,
  },
];

/** The lists of the slots on a machine with these facts. */
export function slotCpusOf(subject: StartSubject, { cores }: SandboxFacts): SlotCpusOutcome {
  // No sysfs here: then they are counted from 0.
  const online = onlineCpus(subject.machine) ?? Array.from({ length: cores }, (_, cpu) => cpu);
  return toSlotCpus(subject.slotCpus, subject.slots === 0 ? cores : subject.slots, online);
}

async function lookAtStateDirectory({ stateDirectory, mayMakeFolders }: StartSubject): Promise<Finding> {
  try {
    if (mayMakeFolders) await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
    await access(stateDirectory, constants.R_OK | constants.W_OK | constants.X_OK);
    return ok(stateDirectory);
  } catch (error) {
    return wrong(`${toCode(error)} at ${stateDirectory}`, {
      problem: `the state directory ${stateDirectory} can't be used (${toCode(error)}); make it writable for this user, or set stateDirectory (ENVICUTOR_AGENT_STATE_DIRECTORY)`,
    });
  }
}

function lookAtRoom({ machine, stateDirectory, diskFreeBytesMin }: StartSubject): Finding {
  const room = machine.room(resolve(stateDirectory));
  // The state directory has its own sentence.
  if (room === null) return unknown(`nothing at ${stateDirectory}`);
  const free = `${toGiB(room.freeBytes)} GiB`;
  const needed = `${toGiB(diskFreeBytesMin)} GiB`;
  if (room.freeBytes >= diskFreeBytesMin) return { ...ok(free), needed };
  return wrong(free, {
    needed,
    problem: `${free} are free at ${stateDirectory}, ${needed} are needed for layers; make room, or lower diskFreeBytesMin (ENVICUTOR_AGENT_DISK_FREE_BYTES_MIN)`,
  });
}

async function lookAtLauncher({ sandbox }: StartSubject): Promise<Finding> {
  try {
    const { facts } = await sandbox();
    return ok(`release ${facts.release}, contract ${CONTRACT_VERSION}`);
  } catch (error) {
    const { message } = toSystemError(error);
    return wrong(message, { problem: message });
  }
}

function lookAtKernel(kernel: string | null): Finding {
  if (kernel === null) return untold;
  const [major = 0, minor = 0] = kernel.split('.').map((part) => Number.parseInt(part, 10));
  if (major > KERNEL_MIN[0] || (major === KERNEL_MIN[0] && minor >= KERNEL_MIN[1])) return ok(kernel);
  const problem = `the kernel is ${kernel}; sandboxes need ${KERNEL_MIN.join('.')} or newer`;
  return wrong(kernel, { problem });
}

function lookAtCgroups(facts: SandboxFacts | null): Finding {
  if (facts === null) return unknown(NO_LAUNCHER);
  if (facts.cgroup !== 'none') return ok(facts.cgroup);
  return wrong('none', {
    problem:
      'the launcher found no cgroup hierarchy with memory, pids and cpu; mount cgroup2 on /sys/fs/cgroup, or delegate one to it',
  });
}

async function lookAtSlotCpus(subject: StartSubject): Promise<Finding> {
  const facts = await factsOf(subject.sandbox);
  if (facts === null) return unknown(NO_LAUNCHER);
  const { cpus, problem } = slotCpusOf(subject, facts);
  const refusal = problem ?? (await whyNotBound(await subject.sandbox(), cpus ?? []));
  if (refusal !== null) return wrong(subject.slotCpus, { problem: refusal, remedy: refusal });
  return ok(`${subject.slotCpus}, ${cpus?.length} slots`);
}

/** A program is run on the processors of each slot: whether a host can pin is known only by pinning. */
async function whyNotBound(sandbox: Sandbox, slotCpus: readonly SlotCpus[]): Promise<string | null> {
  for (const cpus of slotCpus) {
    if (cpus === null) continue;
    try {
      const { end, failure } = await sandbox.launch({ ...probe, cpus }).report;
      if (end !== 'setup-failed' || failure === null) continue;
      return `programs can't be bound to the processors ${cpus} of slotCpus (ENVICUTOR_AGENT_SLOT_CPUS): ${toFailureSentence(failure)}`;
    } catch (error) {
      return toSystemError(error).message;
    }
  }
  return null;
}

async function factsOf(sandbox: StartSubject['sandbox']): Promise<SandboxFacts | null> {
  return await sandbox().then(
    ({ facts }) => facts,
    () => null,
  );
}

function toCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

function toGiB(bytes: number): string {
  return (bytes / GiB).toFixed(1);
}
