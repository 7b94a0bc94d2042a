/**
 * Owns the proof that contest mode sees a bad machine as bad, one requirement at a time, a good one as good, and what a machine hides as unknown.
 * Never looks at this machine: folders stand for others.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { contestRequirements } from '../../agent/preflight/contest-requirements.ts';
import { type SlotSettings, toContestSubject, toCpuList } from '../../agent/preflight/contest-subject.ts';
import type { Finding } from '../../agent/preflight/requirement.ts';
import { systemClock } from '../../shared/clock.ts';
import { deepState, fakeMachine, type MachineFiles, setFile, thp } from '../support/faked-machine.ts';

const CPU = '/sys/devices/system/cpu';
const kernel = '/proc/sys/kernel';
const slots = { slots: 2, slotCpus: '2;3' };
const unpinned = { slots: 0, slotCpus: 'none' };

interface Case {
  readonly bad: MachineFiles;
  readonly found: RegExp;
  /** What a machine lacks that does not tell. */
  readonly hidden: MachineFiles;
  /** In the place of two slots with a processor each. */
  readonly slots?: SlotSettings;
}

/** A case of one file: bad with this text, hidden without it. */
const oneFile = (path: string, text: string, found: RegExp): Case => ({
  ...{ bad: { [path]: `${text}\n` }, found },
  hidden: { [path]: null },
});

const governors = [0, 1, 2, 3].map((cpu) => [`${CPU}/cpu${cpu}/cpufreq`, null] as const);

const cases: Readonly<Record<string, Case>> = {
  governor: {
    bad: {
      [`${CPU}/cpu1/cpufreq/scaling_governor`]: 'powersave\n',
      [`${CPU}/cpu3/cpufreq/scaling_governor`]: 'ondemand\n',
    },
    found: /^cpu1=powersave cpu3=ondemand$/,
    hidden: Object.fromEntries(governors),
  },
  turbo: {
    bad: { [`${CPU}/cpufreq/policy0/boost`]: '1\n' },
    found: /^1$/,
    hidden: { [`${CPU}/intel_pstate`]: null },
  },
  'cpu-idle': {
    bad: { [`${deepState}/disable`]: '0\n' },
    found: /^0$/,
    hidden: { [`${CPU}/cpu3/cpuidle`]: null },
  },
  smt: oneFile(`${CPU}/smt/control`, 'on', /^on$/),
  aslr: { ...oneFile(`${kernel}/randomize_va_space`, '2', /^2$/), slots: unpinned },
  'huge-pages': oneFile(`${thp}/enabled`, '[always] madvise never', /^always$/),
  'huge-pages-defrag': { bad: { [`${thp}/khugepaged/defrag`]: '1\n' }, found: /^1$/, hidden: { [thp]: null } },
  'same-pages': oneFile('/sys/kernel/mm/ksm/run', '1', /^1$/),
  zswap: oneFile('/sys/module/zswap/parameters/enabled', 'Y', /^Y$/),
  'core-pattern': oneFile(`${kernel}/core_pattern`, '|/usr/share/crash %p', /crash/),
  'hard-links': oneFile('/proc/sys/fs/protected_hardlinks', '0', /^0$/),
  'numa-balancing': oneFile(`${kernel}/numa_balancing`, '1', /^1$/),
  'nmi-watchdog': oneFile(`${kernel}/nmi_watchdog`, '1', /^1$/),
  'soft-watchdog': oneFile(`${kernel}/soft_watchdog`, '1', /^1$/),
  'perf-events': oneFile(`${kernel}/perf_event_paranoid`, '-1', /^-1$/),
  'laptop-mode': oneFile('/proc/sys/vm/laptop_mode', '5', /^5$/),
  interrupts: { bad: { '/proc/irq/25/smp_affinity_list': '0-3\n' }, found: /^0-3$/, hidden: { '/proc/irq': null } },
  'slots-alone': {
    bad: { [`${CPU}/online`]: '2-3\n' },
    found: /2-3, others none/,
    hidden: { [`${CPU}/online`]: null },
  },
  swap: {
    bad: { '/proc/swaps': 'Filename Type\n/dev/sda2 partition 1 0 -2\n' },
    found: /^\/dev\/sda2$/,
    hidden: { '/proc/swaps': null },
  },
  'clock-source': oneFile('/sys/devices/system/clocksource/clocksource0/current_clocksource', 'hpet', /^hpet$/),
  'same-cores': {
    bad: { '/sys/devices/cpu_core/cpus': '0-2\n', '/sys/devices/cpu_atom/cpus': '3\n' },
    found: /cpu_core 0-2, cpu_atom 3/,
    hidden: { '/sys': null },
  },
  'irq-balance': {
    bad: { '/proc/712/comm': 'irqbalance\n' },
    found: /712/,
    hidden: { '/proc/1': null, '/proc': null },
  },
  'timer-slack': oneFile('/proc/self/timerslack_ns', '1000000', /1000000/),
  throttling: {
    bad: { [`${CPU}/cpu3/thermal_throttle/core_throttle_count`]: '4\n' },
    found: /^4 times$/,
    hidden: { [`${CPU}/cpu2/thermal_throttle`]: null, [`${CPU}/cpu3/thermal_throttle`]: null },
  },
  isolation: {
    bad: { [`${CPU}/nohz_full`]: '(null)\n' },
    found: /nohz_full none/,
    hidden: { [`${CPU}/isolated`]: null },
  },
  mitigations: {
    bad: { '/proc/cmdline': 'quiet mitigations=off\n', [`${CPU}/vulnerabilities/meltdown`]: 'Vulnerable\n' },
    found: /^off; against nothing; open meltdown$/,
    hidden: { [`${CPU}/vulnerabilities`]: null },
  },
};

/** Those with tests of their own below. */
const apart = ['steal', 'virtual-machine'];
const named = (id: string) => contestRequirements.filter((requirement) => requirement.id === id);

test('every requirement of contests has a bad machine, and no two have one id', () => {
  const ids = contestRequirements.map(({ id }) => id);
  assert.deepEqual([...Object.keys(cases), ...apart].sort(), [...new Set(ids)].sort());
  assert.equal(new Set(ids).size, ids.length);
});

const good = fakeMachine({}, after).machine;

for (const [id, { bad, found, hidden, slots: given = slots }] of Object.entries(cases)) {
  test(`${id} is wrong on a bad machine, ok on a good one, unknown where the machine does not tell`, async (context) => {
    const look = async (files: MachineFiles): Promise<Finding | undefined> => {
      const { machine } = fakeMachine(files, (end) => context.after(end));
      return await named(id)[0]?.look(toContestSubject(machine, systemClock, given));
    };
    const seen = await look(bad);
    assert.equal(seen?.state, 'wrong', seen?.found);
    assert.match(seen.found, found);
    const wanted = await named(id)[0]?.look(toContestSubject(good, systemClock, given));
    assert.equal(wanted?.state, 'ok', wanted?.found);
    assert.equal((await look(hidden))?.state, 'unknown');
  });
}

test('steal is what a hypervisor takes from processors of slots while it is looked, not what it took before, nor from others', async (context) => {
  const look = async (later: string | null) => {
    const { root, machine } = fakeMachine({}, (end) => context.after(end));
    const clock = {
      ...systemClock,
      after: (delayMs: number, action: () => void) => {
        assert.equal(delayMs, 1000);
        setFile(root, '/proc/stat', later);
        return systemClock.after(0, action);
      },
    };
    return await named('steal')[0]?.look(toContestSubject(machine, clock, slots));
  };
  const others = 'cpu0 9 0 9 9 0 0 0 99 0 0\n';
  const steady = 'cpu2 2 0 2 9 0 0 0 7 0 0\ncpu3 2 0 2 9 0 0 0 0 0 0\n';
  const taken = 'cpu2 2 0 2 9 0 0 0 8 0 0\ncpu3 2 0 2 9 0 0 0 2 0 0\n';
  assert.deepEqual(await look(others + steady), { state: 'ok', found: '0 ms' });
  assert.deepEqual(await look(others + taken), { state: 'wrong', found: '30 ms' });
  assert.equal((await look(null))?.state, 'unknown');
  assert.equal((await look('cpu2 2 0 2 9 0 0 0\ncpu3 2 0 2 9 0 0 0\n'))?.state, 'unknown', 'no steal is counted');
});

test('a virtual machine is not wrong but unprovable', async (context) => {
  const look = async (cpuinfo: string | null) => {
    const { machine } = fakeMachine({ '/proc/cpuinfo': cpuinfo }, (end) => context.after(end));
    return await named('virtual-machine')[0]?.look(toContestSubject(machine, systemClock, slots));
  };
  assert.equal((await look('flags : fpu tsc\n'))?.state, 'ok');
  assert.deepEqual(await look('flags : fpu hypervisor tsc\n'), { state: 'unknown', found: 'a hypervisor: unprovable' });
  for (const untold of [null, 'Features\t: fp asimd\n']) assert.equal((await look(untold))?.state, 'unknown');
});

test('slots without processors of their own are not alone, and every interrupt meets them', async (context) => {
  const { machine } = fakeMachine({}, (end) => context.after(end));
  const subject = toContestSubject(machine, systemClock, unpinned);
  assert.deepEqual(subject.slotCpus, [0, 1, 2, 3]);
  for (const id of ['slots-alone', 'interrupts']) assert.equal((await named(id)[0]?.look(subject))?.state, 'wrong', id);
});

test('programs of slots with processors of their own have fixed addresses whatever the kernel says', async (context) => {
  const { machine } = fakeMachine({ [`${kernel}/randomize_va_space`]: '2\n' }, (end) => context.after(end));
  const look = (given: SlotSettings) => named('aslr')[0]?.look(toContestSubject(machine, systemClock, given));
  assert.deepEqual(await look(slots), { state: 'ok', found: 'off for programs of slots' });
  assert.equal((await look(unpinned))?.state, 'wrong');
});

test('a list of processors is written as the kernel writes it', () => {
  assert.deepEqual([[], [3], [1, 0], [8, 0, 2, 1]].map(toCpuList), ['', '3', '0-1', '0-2,8']);
});
