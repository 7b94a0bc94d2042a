/**
 * Owns the proof of what a certificate says of a machine whose files are made up here: each fact comes from the file in which the kernel says it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Slots } from '../../agent/execution/slots.ts';
import { createMachineReader, Processors } from '../../agent/timing/processors.ts';
import { TimingWitness } from '../../agent/timing/timing-witness.ts';
import { makeReport } from '../support/lease-results.ts';
import { calibration } from '../support/timing-facts.ts';

/** Hundredths of a second: what a processor has worked, and what was stolen from it. */
const toStat = (processors: readonly (readonly [busy: number, steal: number])[]) =>
  ['cpu  9 9 9 9 9 9 9 9 0 0']
    .concat(processors.map(([busy, steal], cpu) => `cpu${cpu} ${busy} 0 0 1000 0 0 0 ${steal} 0 0`))
    .concat('intr 12345 0 7', 'ctxt 1')
    .join('\n');

const folder = (cpu: number) => `/sys/devices/system/cpu/cpu${cpu}`;

/** A machine of two cores with two threads each, whose frequency is fixed. */
function makeFiles(): Map<string, string> {
  const files = new Map([
    [
      '/proc/stat',
      toStat([
        [10, 1],
        [20, 2],
        [30, 3],
        [40, 4],
      ]),
    ],
    ['/proc/cpuinfo', 'flags\t\t: fpu vme sse\n'],
    ['/sys/devices/system/cpu/intel_pstate/no_turbo', '1\n'],
  ]);
  for (const cpu of [0, 1, 2, 3]) {
    files.set(`${folder(cpu)}/cpufreq/scaling_cur_freq`, `${3_000_000 + cpu}\n`);
    files.set(`${folder(cpu)}/cpufreq/scaling_governor`, 'performance\n');
    files.set(`${folder(cpu)}/thermal_throttle/core_throttle_count`, '5\n');
    files.set(`${folder(cpu)}/topology/thread_siblings_list`, `${cpu % 2},${(cpu % 2) + 2}\n`);
  }
  return files;
}

function setUp(files: ReadonlyMap<string, string>) {
  const slots = new Slots(4, 4);
  let nowMs = 0;
  const clock = { monotonicMs: () => (nowMs += 500) };
  const processors = new Processors((path) => files.get(path) ?? null);
  const witness = new TimingWitness({ processors, slots, clock, calibrations: { of: () => calibration } });
  return { slots, witness };
}

const usage = { ...makeReport().usage, cpuTimeMs: 480, voluntarySwitches: 3, involuntarySwitches: 4, throttledMs: 0 };

test('of a fixed machine on which nothing else happened all is told, and it is clean', () => {
  const files = makeFiles();
  const { slots, witness } = setUp(files);
  slots.take(1);
  const watch = witness.begin('1');
  files.set(
    '/proc/stat',
    toStat([
      [99, 99],
      [69, 2],
      [99, 99],
      [41, 99],
    ]),
  );
  const moment = { stealMs: 20, frequencyKhz: 3_000_001, thermalThrottles: 5 };
  assert.deepEqual(watch.end([makeReport({ usage })]), {
    ...{ clean: true, reasons: [], cpus: '1', isAddressSpaceFixed: true, areHugePagesOff: true },
    ...{ isVirtual: false, governor: 'performance', isBoosted: false, before: moment, after: moment },
    ...{ cpuTimeMs: 480, wallTimeMs: 500, elsewhereMs: 10, siblingsMs: 10 },
    ...{ voluntarySwitches: 3, involuntarySwitches: 4, throttledMs: 0, neighbours: 0, slots: 1, calibration },
  });
});

test('steal, other work, siblings, frequency and heat are those of its own processors', () => {
  const seen = (change: (files: Map<string, string>) => void, cpus = '1') => {
    const files = makeFiles();
    const watch = setUp(files).witness.begin(cpus);
    change(files);
    return watch.end([makeReport({ usage: { ...usage, cpuTimeMs: 0 } })]);
  };
  const stat =
    (...processors: readonly (readonly [number, number])[]) =>
    (files: Map<string, string>) =>
      void files.set('/proc/stat', toStat(processors));
  assert.deepEqual(seen(stat([10, 1], [20, 3], [30, 3], [40, 4])).reasons, ['steal']);
  assert.deepEqual(seen(stat([10, 1], [23, 2], [30, 3], [40, 4])).reasons, ['processor-shared']);
  assert.deepEqual(seen(stat([10, 1], [20, 2], [30, 3], [43, 4])).reasons, ['sibling-busy']);
  assert.equal(seen(stat([10, 1], [25, 2], [30, 3], [45, 4]), '1,3').elsewhereMs, 100);
  assert.equal(seen(() => undefined, '1,3').siblingsMs, null, 'both threads are its own');
  const frequency = (files: Map<string, string>) => void files.set(`${folder(1)}/cpufreq/scaling_cur_freq`, '2000000');
  assert.deepEqual(seen(frequency).reasons, ['frequency-changed']);
  assert.equal(seen(frequency, '0-1').after.frequencyKhz, 2_000_000, 'the slowest');
  const heat = (files: Map<string, string>) => void files.set(`${folder(1)}/thermal_throttle/core_throttle_count`, '6');
  assert.deepEqual(seen(heat).reasons, ['thermal-throttling']);
});

test('what a machine does not tell is not known, and never clean', () => {
  const nothing = setUp(new Map()).witness.begin('0').end([]);
  assert.deepEqual(nothing.before, { stealMs: null, frequencyKhz: null, thermalThrottles: null });
  assert.deepEqual([nothing.clean, nothing.reasons], ['unprovable', ['frequency-unknown', 'steal-unknown']]);
  const files = makeFiles();
  files.set('/proc/cpuinfo', 'flags\t\t: fpu hypervisor lahf_lm\n');
  for (const cpu of [0, 1, 2, 3]) files.delete(`${folder(cpu)}/cpufreq/scaling_governor`);
  const virtual = setUp(files).witness.begin('0').end([]);
  assert.deepEqual([virtual.clean, virtual.reasons], ['unprovable', ['virtual-machine', 'frequency-unknown']]);
  const boosted = makeFiles();
  boosted.delete('/sys/devices/system/cpu/intel_pstate/no_turbo');
  boosted.set('/sys/devices/system/cpu/cpufreq/boost', '1\n');
  assert.deepEqual(setUp(boosted).witness.begin('0').end([]).reasons, ['frequency-not-fixed']);
});

test('a kernel that counts no steal makes a time unprovable, not clean', () => {
  const files = makeFiles();
  files.set('/proc/stat', 'cpu0 10 0 0 1000 0 0 0\ncpu1 20 0 0 1000 0 0 0\n');
  const { before, clean, reasons, elsewhereMs } = setUp(files).witness.begin('1').end([]);
  assert.deepEqual([before.stealMs, clean, reasons, elsewhereMs], [null, 'unprovable', ['steal-unknown'], 0]);
  assert.equal(setUp(files).witness.begin(null).end([]).before.stealMs, null);
});

test('without processors of its own the steal of all counts, and nothing else can be said', () => {
  const files = makeFiles();
  const watch = setUp(files).witness.begin(null);
  files.set(
    '/proc/stat',
    toStat([
      [99, 1],
      [99, 2],
      [99, 3],
      [99, 5],
    ]),
  );
  const { before, after, reasons, elsewhereMs, isAddressSpaceFixed } = watch.end([]);
  assert.deepEqual([before.stealMs, after.stealMs, elsewhereMs, isAddressSpaceFixed], [100, 110, null, false]);
  assert.deepEqual(reasons, ['steal', 'frequency-unknown', 'not-pinned']);
});

test('neighbours are all that held other slots at any time meanwhile', () => {
  const { slots, witness } = setUp(makeFiles());
  for (const _ of [1, 2]) slots.take(1);
  const watch = witness.begin('0');
  slots.giveBack(1);
  slots.take(1);
  slots.giveBack(1);
  assert.equal(watch.end([]).neighbours, 2);
});

test("this machine's own files are read, those that are not there are not", () => {
  const read = createMachineReader();
  const times = new Processors(read).times();
  assert.ok(times !== null && times.size >= 1);
  for (const { busyMs, stealMs } of times.values()) assert.ok(Number(busyMs) > 0 && Number(stealMs) >= 0);
  assert.deepEqual([read('/proc/no-such-file'), read('/proc/no-such-file')], [null, null]);
});
