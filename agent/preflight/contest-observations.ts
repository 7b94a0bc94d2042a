/**
 * Owns what makes a machine's times repeatable, or shows that they are not, and is no setting that could be put back: swap, the clock source,
 * steal, throttling, who else is there; and what is told for comparison only. Never changes anything.
 */
import { passed } from '../../shared/clock.ts';
import { parseCpus } from '../execution/slot-cpus.ts';
import { Processors, sumOfTimes } from '../timing/processors.ts';
import { type ContestSubject, freeCpus, toCpuList } from './contest-subject.ts';
import { type ContestRequirement, type Finding, judged, ok, unknown, untold, wrong } from './requirement.ts';

const CPU = '/sys/devices/system/cpu';
const STEAL_WINDOW_MS = 1000;
const TIMER_SLACK_NS_MAX = 50_000;

/** Observations, in the order in which they are told. */
export const contestObservations: readonly ContestRequirement[] = [
  {
    id: 'slots-alone',
    about: 'Each slot has processors of its own, and some are left for everything else.',
    needed: 'slotCpus, and a processor outside',
    severity: 'timing',
    remedy: 'set slotCpus and slots (ENVICUTOR_AGENT_SLOT_CPUS, ENVICUTOR_AGENT_SLOTS)',
    look: lookAtSlots,
    fix: { byHand: 'it is a setting of the agent' },
  },
  {
    id: 'swap',
    about: 'No page of a program comes back from a disk.',
    needed: 'none',
    severity: 'timing',
    remedy: 'swapoff -a',
    look: lookAtSwap,
    fix: { byHand: 'what is swapped out may not fit into memory' },
  },
  {
    id: 'clock-source',
    about: 'Asking for the time takes no call of the kernel.',
    needed: 'tsc',
    severity: 'timing',
    remedy: 'boot with clocksource=tsc tsc=reliable, if the processor deserves it',
    look: ({ machine }) => {
      const source = machine.read('/sys/devices/system/clocksource/clocksource0/current_clocksource')?.trim();
      return source === undefined ? untold : judged(source === 'tsc', source);
    },
    fix: { byHand: 'the kernel took another one because it distrusts this' },
  },
  {
    id: 'steal',
    about: `A hypervisor takes no time from the processors of slots; looked at for ${STEAL_WINDOW_MS / 1000} s.`,
    needed: 'none',
    severity: 'timing',
    remedy: 'use a machine of your own, or processors that are yours alone',
    look: lookAtSteal,
    fix: { byHand: 'it is the host of this machine that takes it' },
  },
  {
    id: 'virtual-machine',
    about:
      'In a virtual machine nobody can prove that times are those of the program; one that shows itself is not wrong, but unprovable.',
    needed: 'a machine of its own',
    severity: 'timing',
    remedy: 'use a machine of your own',
    look: ({ machine }) => {
      const isVirtual = new Processors(machine.read).isVirtual();
      if (isVirtual === null) return untold;
      return isVirtual ? unknown('a hypervisor: unprovable') : ok('no hypervisor seen');
    },
    fix: { byHand: 'it is what the machine is' },
  },
  {
    id: 'same-cores',
    about: 'Slots have cores of one kind (processors with fast and slow cores have two).',
    needed: 'one kind',
    severity: 'timing',
    remedy: 'set slotCpus (ENVICUTOR_AGENT_SLOT_CPUS) to cores of one kind',
    look: lookAtKinds,
    fix: { byHand: 'it is a setting of the agent' },
  },
  {
    id: 'irq-balance',
    about: 'No daemon moves interrupts back to processors of slots.',
    needed: 'not running',
    severity: 'timing',
    remedy: 'systemctl stop irqbalance',
    look: ({ machine }) => {
      const processes = machine.list('/proc').filter((name) => /^\d+$/.test(name));
      if (processes.length === 0) return untold;
      const found = processes.find((id) => machine.read(`/proc/${id}/comm`)?.trim() === 'irqbalance');
      return found === undefined ? ok('not running') : wrong(`process ${found}`);
    },
    fix: { byHand: 'it is a service of the machine' },
  },
  {
    id: 'timer-slack',
    about: 'Timers of what this process starts are not later than usual.',
    needed: `${TIMER_SLACK_NS_MAX} ns or less`,
    severity: 'timing',
    remedy: 'remove TimerSlackNSec= from the unit',
    look: ({ machine }) => {
      const text = machine.read('/proc/self/timerslack_ns')?.trim();
      return text === undefined ? untold : judged(Number(text) <= TIMER_SLACK_NS_MAX, `${text} ns`);
    },
    fix: { byHand: 'it belongs to each process' },
  },
  {
    id: 'throttling',
    about: 'No processor was slowed down since the start because it was too hot.',
    needed: '0 times',
    severity: 'timing',
    remedy: 'cool the machine, and start it again',
    look: lookAtThrottling,
    fix: { byHand: 'it is warm' },
  },
  {
    id: 'isolation',
    about: 'The scheduler (isolcpus) and its ticks (nohz_full) are kept away from processors of slots.',
    needed: 'isolcpus and nohz_full with the processors of slots',
    severity: 'information',
    remedy: 'boot with isolcpus=CPUS nohz_full=CPUS',
    look: lookAtIsolation,
    fix: { byHand: 'it is decided at boot' },
  },
  {
    id: 'mitigations',
    about:
      'What the kernel does against faults of the processor costs time; machines of one contest should do the same, and all of it.',
    needed: 'the same on every machine, not off',
    severity: 'information',
    remedy: 'remove mitigations=off from the kernel command line',
    look: lookAtMitigations,
    fix: { byHand: 'it is decided at boot' },
  },
];

function lookAtSlots(subject: ContestSubject): Finding {
  if (subject.online.length === 0) return untold;
  if (!subject.isPinned) return wrong('slots share all processors');
  const free = freeCpus(subject);
  const found = `slots have ${toCpuList(subject.slotCpus)}`;
  return free.length > 0 ? ok(`${found}, others ${toCpuList(free)}`) : wrong(`${found}, others none`);
}

function lookAtSwap({ machine }: ContestSubject): Finding {
  const text = machine.read('/proc/swaps');
  if (text === null) return untold;
  const places = text
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(/\s/)[0]);
  return places.length === 0 ? ok('none') : wrong(places.join(', '));
}

async function lookAtSteal({ machine, clock, slotCpus }: ContestSubject): Promise<Finding> {
  const processors = new Processors(machine.read);
  const look = () => sumOfTimes(processors.times() ?? new Map(), slotCpus, 'stealMs');
  const before = look();
  if (before === null) return untold;
  await passed(clock, STEAL_WINDOW_MS);
  const after = look();
  return after === null ? untold : judged(after === before, `${after - before} ms`);
}

function lookAtKinds({ machine, slotCpus }: ContestSubject): Finding {
  if (machine.list('/sys/devices').length === 0) return untold;
  const kinds = ['cpu_core', 'cpu_atom'].flatMap((kind) => {
    const cpus = parseCpus(machine.read(`/sys/devices/${kind}/cpus`) ?? '') ?? [];
    return cpus.some((cpu) => slotCpus.includes(cpu)) ? [`${kind} ${toCpuList(cpus)}`] : [];
  });
  return judged(kinds.length <= 1, kinds.length === 0 ? 'one kind' : kinds.join(', '));
}

function lookAtThrottling({ machine, slotCpus }: ContestSubject): Finding {
  const times = new Processors(machine.read).thermalThrottles(slotCpus);
  return times === null ? untold : judged(times === 0, `${times} times`);
}

function lookAtIsolation({ machine, slotCpus }: ContestSubject): Finding {
  const isolated = machine.read(`${CPU}/isolated`)?.trim();
  if (isolated === undefined) return untold;
  const quiet = machine.read(`${CPU}/nohz_full`)?.trim() ?? '';
  const holds = (list: string) => slotCpus.every((cpu) => (parseCpus(list) ?? []).includes(cpu));
  const say = (list: string) => (parseCpus(list) === null ? 'none' : list);
  return judged(holds(isolated) && holds(quiet), `isolcpus ${say(isolated)}, nohz_full ${say(quiet)}`);
}

function lookAtMitigations({ machine }: ContestSubject): Finding {
  const folder = `${CPU}/vulnerabilities`;
  const said = machine.list(folder).map((name) => ({ name, text: machine.read(`${folder}/${name}`)?.trim() ?? '' }));
  if (said.length === 0) return untold;
  const asked = /(?:^|\s)mitigations=(\S+)/.exec(machine.read('/proc/cmdline') ?? '')?.[1] ?? 'auto';
  const named = (beginning: string) =>
    said.flatMap(({ name, text }) => (text.startsWith(beginning) ? [name] : [])).join(' ') || 'nothing';
  const found = `${asked}; against ${named('Mitigation')}; open ${named('Vulnerable')}`;
  return judged(asked !== 'off', found);
}
