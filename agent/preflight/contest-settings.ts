/**
 * Owns what makes a machine's times repeatable and is a setting of the kernel: which files hold what, and why. Never writes one (contest-fixes).
 * What --fix may write is there already, takes effect at once, and is put back by writing what was there; everything else says why it is by hand.
 * The list begins with that of isolate-check-environment and goes on where it ends.
 */
import { parseCpus } from '../execution/slot-cpus.ts';
import { type ContestSubject, freeCpus, toCpuList } from './contest-subject.ts';
import { type ContestRequirement, ok } from './requirement.ts';
import { lookAtFiles, type WantedFile, wantedFile } from './setting-files.ts';

const CPU = '/sys/devices/system/cpu';
const THP = '/sys/kernel/mm/transparent_hugepage';
/** A sleep from which a processor needs longer than this to wake is seen in short runs; microseconds. */
const WAKE_US_MAX = 10;

type Files = (subject: ContestSubject) => readonly WantedFile[];

interface Setting extends Omit<ContestRequirement, 'severity' | 'look' | 'fix'> {
  readonly files: Files;
  /** Present: --fix leaves it alone, and this is why. */
  readonly byHand?: string;
  readonly look?: ContestRequirement['look'];
}

function setting({ files, byHand, look, ...requirement }: Setting): ContestRequirement {
  return {
    ...requirement,
    severity: 'timing',
    look: look ?? ((subject) => lookAtFiles(subject.machine, files(subject))),
    fix: byHand === undefined ? { files } : { byHand },
  };
}

/** One value below /proc/sys; the first of `values` is the one to write. */
function kernelSetting(
  id: string,
  name: string,
  values: readonly [string, ...string[]],
  about: string,
  byHand?: string,
): ContestRequirement {
  return setting({
    ...{ id, about },
    needed: `${name} = ${values.join(' or ')}`,
    remedy: `sysctl -w ${name}=${values[0]}`,
    files: () => [wantedFile(`/proc/sys/${name.replaceAll('.', '/')}`, values, name)],
    ...(byHand === undefined ? {} : { byHand }),
  });
}

/** Settings, in the order in which they are told. */
export const contestSettings: readonly ContestRequirement[] = [
  setting({
    id: 'governor',
    about: 'Processors keep their frequency instead of following the load.',
    needed: 'performance everywhere',
    remedy: `echo performance | tee ${CPU}/cpu*/cpufreq/scaling_governor`,
    files: ({ online }) =>
      online.map((cpu) => wantedFile(`${CPU}/cpu${cpu}/cpufreq/scaling_governor`, ['performance'], `cpu${cpu}`)),
  }),
  setting({
    id: 'turbo',
    about: 'No processor is faster for a while because its neighbours are idle, or it is cool.',
    needed: 'no_turbo = 1, boost = 0',
    remedy: `echo 1 > ${CPU}/intel_pstate/no_turbo, or echo 0 > ${CPU}/cpufreq/boost`,
    files: ({ machine }) => [
      wantedFile(`${CPU}/intel_pstate/no_turbo`, ['1']),
      wantedFile(`${CPU}/cpufreq/boost`, ['0']),
      ...machine
        .list(`${CPU}/cpufreq`)
        .filter((name) => /^policy\d+$/.test(name))
        .map((name) => wantedFile(`${CPU}/cpufreq/${name}/boost`, ['0'], `${name}/boost`)),
    ],
  }),
  setting({
    id: 'cpu-idle',
    about: 'Processors of slots do not sleep so deeply that waking up takes a time that is seen.',
    needed: `no enabled state above ${WAKE_US_MAX} µs`,
    remedy: `echo 1 | tee ${CPU}/cpu*/cpuidle/state[2-9]/disable`,
    files: deepStates,
    look: (subject) => {
      const states = subject.slotCpus.flatMap((cpu) => subject.machine.list(`${CPU}/cpu${cpu}/cpuidle`));
      const deep = deepStates(subject);
      return states.length > 0 && deep.length === 0 ? ok('no deep state') : lookAtFiles(subject.machine, deep);
    },
  }),
  setting({
    id: 'smt',
    about: 'No two programs share one core as its siblings.',
    needed: 'off',
    remedy: `echo off > ${CPU}/smt/control, before the launcher starts`,
    files: () => [wantedFile(`${CPU}/smt/control`, ['off', 'forceoff', 'notsupported', 'notimplemented'])],
    byHand: 'processors that go away leave cpusets of version 1, and do not come back into them',
  }),
  setting({
    id: 'aslr',
    about:
      'Addresses are the same in every run; caches and branch predictors see the same program. Programs of slots with processors of their own have that already.',
    needed: 'kernel.randomize_va_space = 0, or processors of its own for each slot',
    remedy: 'set ENVICUTOR_AGENT_SLOT_CPUS',
    files: aslrFiles,
    byHand: 'it takes a protection from every process of the machine',
    look: ({ isPinned, machine }) => (isPinned ? ok('off for programs of slots') : lookAtFiles(machine, aslrFiles())),
  }),
  setting({
    id: 'huge-pages',
    about: 'Whether memory comes in huge pages does not depend on what ran before.',
    needed: 'never or madvise',
    remedy: `echo never > ${THP}/enabled`,
    files: () => [wantedFile(`${THP}/enabled`, ['never', 'madvise'])],
  }),
  setting({
    id: 'huge-pages-defrag',
    about: 'No program waits while the kernel moves pages together, and khugepaged does not work beside it.',
    needed: 'defrag = never, khugepaged/defrag = 0',
    remedy: `echo never > ${THP}/defrag; echo 0 > ${THP}/khugepaged/defrag`,
    files: () => [
      wantedFile(`${THP}/defrag`, ['never']),
      wantedFile(`${THP}/khugepaged/defrag`, ['0'], 'khugepaged/defrag'),
    ],
  }),
  setting({
    id: 'same-pages',
    about: 'The kernel does not scan memory for pages that are the same (KSM).',
    needed: '0',
    remedy: 'echo 0 > /sys/kernel/mm/ksm/run',
    files: () => [wantedFile('/sys/kernel/mm/ksm/run', ['0'])],
  }),
  setting({
    id: 'zswap',
    about: 'Memory is not compressed in the place of swap.',
    needed: 'N',
    remedy: 'echo N > /sys/module/zswap/parameters/enabled',
    files: () => [wantedFile('/sys/module/zswap/parameters/enabled', ['N'])],
  }),
  setting({
    id: 'core-pattern',
    about: 'A crash starts no program of the host beside the ones that are measured.',
    needed: 'not a pipe',
    remedy: 'sysctl -w kernel.core_pattern=core',
    files: () => [
      {
        ...wantedFile('/proc/sys/kernel/core_pattern', ['core']),
        isRight: (value) => !value.startsWith('|'),
      },
    ],
  }),
  kernelSetting('hard-links', 'fs.protected_hardlinks', ['1'], 'Nobody links to files that are not theirs.'),
  kernelSetting('numa-balancing', 'kernel.numa_balancing', ['0'], 'Pages are not taken away to see who uses them.'),
  kernelSetting('nmi-watchdog', 'kernel.nmi_watchdog', ['0'], 'No interrupt of a watchdog, and a counter more.'),
  kernelSetting('soft-watchdog', 'kernel.soft_watchdog', ['0'], 'No timer of a watchdog on each processor.'),
  kernelSetting(
    'perf-events',
    'kernel.perf_event_paranoid',
    ['2', '3', '4'],
    'Nobody but root samples the machine while it measures.',
  ),
  kernelSetting('laptop-mode', 'vm.laptop_mode', ['0'], 'Writing back does not wait for a disk that spins.'),
  setting({
    id: 'interrupts',
    about: 'Interrupts of devices are served by processors that belong to no slot.',
    needed: 'no interrupt on processors of slots',
    remedy: 'for each: echo CPUS > /proc/irq/N/smp_affinity_list; for those that refuse: isolcpus=managed_irq at boot',
    files: interruptFiles,
    look: (subject) =>
      subject.machine.list('/proc/irq').length > 0 && interruptFiles(subject).length === 0
        ? ok('there are none')
        : lookAtFiles(subject.machine, interruptFiles(subject)),
  }),
];

function aslrFiles(): readonly WantedFile[] {
  return [wantedFile('/proc/sys/kernel/randomize_va_space', ['0'])];
}

function deepStates({ machine, slotCpus }: ContestSubject): readonly WantedFile[] {
  return slotCpus.flatMap((cpu) => {
    const folder = `${CPU}/cpu${cpu}/cpuidle`;
    return machine
      .list(folder)
      .filter((state) => Number(machine.read(`${folder}/${state}/latency`) ?? 0) > WAKE_US_MAX)
      .map((state) => wantedFile(`${folder}/${state}/disable`, ['1'], `cpu${cpu}/${state}/disable`));
  });
}

function interruptFiles(subject: ContestSubject): readonly WantedFile[] {
  const free = toCpuList(freeCpus(subject));
  return subject.machine
    .list('/proc/irq')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({
      ...{ name: `irq${name}`, path: `/proc/irq/${name}/smp_affinity_list`, value: free === '' ? null : free },
      isRight: (value: string) => !(parseCpus(value) ?? []).some((cpu) => subject.slotCpus.includes(cpu)),
    }));
}
