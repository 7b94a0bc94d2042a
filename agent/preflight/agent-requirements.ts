/**
 * Owns what an agent can start without, but should not work without for long: memory for its slots, a disk for its layers, open files, everything
 * that sandboxes can have, a coordinator, the time. Never keeps an agent from starting.
 */
import { resolve } from 'node:path';
import type { Clock } from '../../shared/clock.ts';
import { limitDefaults } from '../../shared/model/limits.ts';
import { missingFacts } from '../../shared/sandbox/launcher-facts.ts';
import type { CoordinatorAnswer } from './coordinator-answer.ts';
import { onlineCpus } from './machine.ts';
import { type Finding, judged, ok, type Requirement, unknown, untold, wrong } from './requirement.ts';
import type { StartSubject } from './start-requirements.ts';

/** An agent's machine under its settings. */
export interface AgentSubject extends StartSubject {
  readonly clock: Clock;
  readonly memoryBytes: number;
  readonly compiledChecksBytesMax: number;
  readonly layerBytesMax: number;
  /** Addresses, separated by commas. */
  readonly coordinatorUrl: string;
  /** The same answer each time. */
  readonly ask: (url: string) => Promise<CoordinatorAnswer>;
}

/** One that should be met. */
export type AgentRequirement = Requirement<AgentSubject>;

const MiB = 1024 ** 2;
const OPEN_FILES_MIN = 8192;
const CLOCK_DIFFERENCE_MS_MAX = 5000;
const { memoryBytes: memoryOfOneBytes } = limitDefaults.run;

/** In the order in which they are told. */
export const agentRequirements: readonly AgentRequirement[] = [
  {
    id: 'sandbox-features',
    about:
      'The launcher has everything that sandboxes can have here; what is missing is never a limit (docs/rootless.md).',
    needed: 'nothing missing',
    severity: 'should',
    remedy: 'start the launcher as root',
    look: lookAtFeatures,
  },
  {
    id: 'slot-memory',
    about: 'What the agent offers is enough for each slot to run an execution of default limits.',
    needed: `${memoryOfOneBytes / MiB} MiB for each slot`,
    severity: 'should',
    remedy: 'lower slots (ENVICUTOR_AGENT_SLOTS), or raise memoryBytes (ENVICUTOR_AGENT_MEMORY_BYTES)',
    look: lookAtMemory,
  },
  {
    id: 'disk-layers',
    about: 'The file system can hold what the cache of layers may weigh before it removes the least recently used.',
    needed: 'layerBytesMax (ENVICUTOR_AGENT_LAYER_BYTES_MAX) and diskFreeBytesMin',
    severity: 'should',
    remedy: 'lower layerBytesMax (ENVICUTOR_AGENT_LAYER_BYTES_MAX), or use a larger disk',
    look: lookAtDisk,
  },
  {
    id: 'open-files',
    about: 'Open files that this user may have: sockets, layers that arrive, files of executions.',
    needed: `${OPEN_FILES_MIN} or more`,
    severity: 'should',
    remedy: 'set LimitNOFILE=524288 in the unit, or ulimit -Hn 524288',
    look: ({ machine }) => {
      const limit = /^Max open files\s+\S+\s+(\S+)/m.exec(machine.read('/proc/self/limits') ?? '')?.[1];
      if (limit === undefined) return untold;
      return judged(limit === 'unlimited' || Number(limit) >= OPEN_FILES_MIN, limit);
    },
  },
  {
    id: 'coordinator',
    about: 'A coordinator can be reached; without one the agent goes on trying.',
    needed: 'an answer from one of coordinatorUrl',
    severity: 'should',
    remedy: 'set coordinatorUrl (ENVICUTOR_AGENT_COORDINATOR_URL), start the coordinator, or open the way to it',
    look: lookAtCoordinator,
  },
  {
    id: 'clock',
    about: "This machine's time is the coordinator's: trust states and keys expire by it.",
    needed: `within ${CLOCK_DIFFERENCE_MS_MAX / 1000} s`,
    severity: 'should',
    remedy: 'timedatectl set-ntp true',
    look: lookAtClock,
  },
];

async function lookAtFeatures({ sandbox }: AgentSubject): Promise<Finding> {
  const facts = await sandbox().then(
    (connected) => connected.facts,
    () => null,
  );
  if (facts === null) return unknown('the launcher does not answer');
  const { missing } = facts;
  if (missing.length === 0) return ok('nothing missing');
  const known: Readonly<Record<string, { readonly remedy: string } | undefined>> = missingFacts;
  const remedies = new Set(missing.map((name) => known[name]?.remedy ?? 'start the launcher as root'));
  return wrong(`without ${missing.join(', ')}`, { remedy: [...remedies].join('; ') });
}

function lookAtMemory({ machine, slots, memoryBytes, compiledChecksBytesMax }: AgentSubject): Finding {
  const total = /^MemTotal:\s+(\d+) kB$/m.exec(machine.read('/proc/meminfo') ?? '')?.[1];
  const count = slots === 0 ? (onlineCpus(machine)?.length ?? 0) : slots;
  if (total === undefined || count === 0) return untold;
  const whole = Number(total) * 1024;
  // As the agent offers it.
  const offered = memoryBytes > 0 ? memoryBytes : Math.max(0, Math.floor(whole * 0.9) - compiledChecksBytesMax);
  const found = `${Math.floor(offered / count / MiB)} MiB for each of ${count}`;
  if (offered > whole)
    return wrong(`${Math.floor(offered / MiB)} MiB of ${Math.floor(whole / MiB)} MiB`, {
      remedy: 'lower memoryBytes (ENVICUTOR_AGENT_MEMORY_BYTES) below what the machine has',
    });
  return judged(offered >= count * memoryOfOneBytes, found);
}

function lookAtDisk({ machine, stateDirectory, layerBytesMax, diskFreeBytesMin }: AgentSubject): Finding {
  const room = machine.room(resolve(stateDirectory));
  if (room === null) return unknown(`nothing at ${stateDirectory}`);
  const wanted = layerBytesMax + diskFreeBytesMin;
  const needed = `${Math.ceil(wanted / MiB)} MiB`;
  return { ...judged(room.totalBytes >= wanted, `${Math.floor(room.totalBytes / MiB)} MiB`), needed };
}

async function lookAtCoordinator({ coordinatorUrl, ask }: AgentSubject): Promise<Finding> {
  const failures: string[] = [];
  for (const url of coordinatorUrl.split(',')) {
    const answer = await ask(url);
    if (!('failure' in answer)) return ok(url);
    failures.push(`${url}: ${answer.failure}`);
  }
  return wrong(failures.join(', '));
}

async function lookAtClock({ coordinatorUrl, ask }: AgentSubject): Promise<Finding> {
  for (const url of coordinatorUrl.split(',')) {
    const answer = await ask(url);
    if ('failure' in answer || answer.dateMs === null) continue;
    // The header has whole seconds: half a second is the best guess of the rest.
    const differenceMs = answer.nowMs - (answer.dateMs + 500);
    const isNear = Math.abs(differenceMs) <= CLOCK_DIFFERENCE_MS_MAX;
    return judged(isNear, `${(differenceMs / 1000).toFixed(1)} s beside the coordinator`);
  }
  return unknown('no coordinator told its time');
}
