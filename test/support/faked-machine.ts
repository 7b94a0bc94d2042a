/**
 * Makes machines of files: a folder that holds what preflight reads of /proc and /sys, good for a contest in everything until a test changes it.
 * Never looks at this machine.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Machine, machineAt } from '../../agent/preflight/machine.ts';

/** Texts by path; null: the file, or the folder, is not there. */
export type MachineFiles = Readonly<Record<string, string | null>>;

const CPU = '/sys/devices/system/cpu';
export const thp = '/sys/kernel/mm/transparent_hugepage';
export const deepState = `${CPU}/cpu3/cpuidle/state2`;

/** Four processors, of which 2 and 3 belong to two slots. */
export const goodMachine: MachineFiles = {
  ...Object.fromEntries([0, 1, 2, 3].map((cpu) => [`${CPU}/cpu${cpu}/cpufreq/scaling_governor`, 'performance\n'])),
  ...Object.fromEntries([2, 3].map((cpu) => [`${CPU}/cpu${cpu}/thermal_throttle/core_throttle_count`, '0\n'])),
  [`${CPU}/online`]: '0-3\n',
  [`${CPU}/intel_pstate/no_turbo`]: '1\n',
  [`${CPU}/cpu3/cpuidle/state1/latency`]: '2\n',
  [`${CPU}/cpu3/cpuidle/state1/disable`]: '0\n',
  [`${deepState}/latency`]: '133\n',
  [`${deepState}/disable`]: '1\n',
  [`${CPU}/smt/control`]: 'off\n',
  [`${CPU}/isolated`]: '2-3\n',
  [`${CPU}/nohz_full`]: '2-3\n',
  [`${CPU}/vulnerabilities/meltdown`]: 'Mitigation: PTI\n',
  ...{ [`${thp}/enabled`]: 'always madvise [never]\n', [`${thp}/defrag`]: 'always defer madvise [never]\n' },
  ...{ [`${thp}/khugepaged/defrag`]: '0\n', '/sys/kernel/mm/ksm/run': '0\n' },
  '/sys/module/zswap/parameters/enabled': 'N\n',
  '/sys/devices/system/clocksource/clocksource0/current_clocksource': 'tsc\n',
  ...{ '/proc/sys/kernel/randomize_va_space': '0\n', '/proc/sys/kernel/core_pattern': 'core\n' },
  ...{ '/proc/sys/fs/protected_hardlinks': '1\n', '/proc/sys/kernel/numa_balancing': '0\n' },
  ...{ '/proc/sys/kernel/nmi_watchdog': '0\n', '/proc/sys/kernel/soft_watchdog': '0\n' },
  ...{ '/proc/sys/kernel/perf_event_paranoid': '3\n', '/proc/sys/vm/laptop_mode': '0\n' },
  ...{ '/proc/sys/kernel/random/boot_id': 'first-boot\n', '/proc/sys/kernel/osrelease': '6.12.1-amd64\n' },
  ...{ '/proc/irq/24/smp_affinity_list': '0-1\n', '/proc/irq/25/smp_affinity_list': '1\n' },
  '/proc/swaps': 'Filename Type Size Used Priority\n',
  '/proc/stat': 'cpu2 1 0 1 9 0 0 0 7 0 0\ncpu3 1 0 1 9 0 0 0 0 0 0\n',
  '/proc/cpuinfo': 'flags\t\t: fpu tsc\n',
  ...{ '/proc/1/comm': 'systemd\n', '/proc/self/timerslack_ns': '50000\n', '/proc/cmdline': 'quiet\n' },
  '/proc/self/limits': 'Max open files            1024                 524288               files\n',
  ...{ '/proc/meminfo': 'MemTotal:       16777216 kB\n', '/proc/sys/user/max_user_namespaces': '63000\n' },
};

/** A machine of these files, and where they lie; gone with the test. */
export function fakeMachine(
  changes: MachineFiles,
  after: (end: () => void) => void,
): { root: string; machine: Machine } {
  const root = mkdtempSync(join(tmpdir(), 'envicutor-machine-'));
  after(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, text] of Object.entries({ ...goodMachine, ...changes })) setFile(root, path, text);
  return { root, machine: machineAt(root) };
}

/** Changes one file of a machine. */
export function setFile(root: string, path: string, text: string | null): void {
  const place = join(root, path);
  rmSync(place, { recursive: true, force: true });
  if (text === null) return;
  mkdirSync(dirname(place), { recursive: true });
  writeFileSync(place, text);
}
