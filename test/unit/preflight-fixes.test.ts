/**
 * Owns the proof that what contest mode changes is what it may, that it is put back, whoever was killed in between, and that nobody can make it write
 * elsewhere. Never changes this machine: folders stand for others.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fixSettings, undoSettings } from '../../agent/preflight/contest-fixes.ts';
import { openContestMode } from '../../agent/preflight/contest-mode.ts';
import { ContestRecord } from '../../agent/preflight/contest-record.ts';
import { contestRequirements } from '../../agent/preflight/contest-requirements.ts';
import { toContestSubject } from '../../agent/preflight/contest-subject.ts';
import type { Machine } from '../../agent/preflight/machine.ts';
import { readSetting } from '../../agent/preflight/setting-files.ts';
import { systemClock } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import { deepState, fakeMachine, type MachineFiles, setFile, thp } from '../support/faked-machine.ts';

const cpu1 = '/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor';
const core = '/proc/sys/kernel/core_pattern';
const irq = '/proc/irq/24/smp_affinity_list';
const smt = '/sys/devices/system/cpu/smt/control';
/** Nothing happens on a made-up machine while it is looked at. */
const atOnce = { ...systemClock, after: (_: number, action: () => void) => systemClock.after(0, action) };
const slots = { slots: 2, slotCpus: '2;3' };

/** Wrong in six files that may be changed, in the order of the requirements, and in one that may not. */
const bad: MachineFiles = {
  ...{ [cpu1]: 'powersave\n', [`${deepState}/disable`]: '0\n', [`${thp}/enabled`]: '[always] madvise never\n' },
  ...{ [`${thp}/khugepaged/defrag`]: '1\n', [core]: '|/usr/share/crash %p\n', [irq]: '0-3\n', [smt]: 'on\n' },
};
const fixed: Readonly<Record<string, string>> = {
  ...{ [cpu1]: 'performance', [`${deepState}/disable`]: '1', [`${thp}/enabled`]: 'never' },
  ...{ [`${thp}/khugepaged/defrag`]: '0', [core]: 'core', [irq]: '0-1', [smt]: 'on' },
};
const before = valuesOf((path) => (/\[(.*)\]/.exec(bad[path] ?? '')?.[1] ?? bad[path] ?? '').trim());

function valuesOf(read: (path: string) => string | null): Record<string, string | null> {
  return Object.fromEntries(Object.keys(fixed).map((path) => [path, read(path)]));
}

function stage(context: TestContext, files: MachineFiles = bad) {
  const { root, machine } = fakeMachine(files, (end) => context.after(end));
  const directory = join(root, 'record');
  return {
    ...{ root, machine, directory, file: join(directory, 'contest-settings.json') },
    now: () => valuesOf((path) => readSetting(machine, path)),
    record: () => ContestRecord.open(directory, machine),
    fix: async (on: Machine = machine) =>
      await fixSettings(
        contestRequirements,
        toContestSubject(on, systemClock, slots),
        await ContestRecord.open(directory, on),
      ),
    undo: async (on: Machine = machine) => await undoSettings(on, await ContestRecord.open(directory, on)),
  };
}

const outcomes = (made: readonly { readonly outcome: string }[]) => made.map(({ outcome }) => outcome);

test('what may be changed is changed, and put back; what is by hand is left alone', async (context) => {
  const { now, fix, undo, file } = stage(context);
  assert.deepEqual(outcomes(await fix()), new Array(6).fill('changed'));
  assert.deepEqual(now(), fixed);
  assert.deepEqual(await fix(), [], 'what is right is not touched again');
  assert.deepEqual(outcomes(await undo()), new Array(6).fill('restored'));
  assert.deepEqual(now(), before);
  assert.ok(!existsSync(file), 'nothing is recorded any more');
  assert.deepEqual(await undo(), []);
});

test('killed before or after any write, nothing is changed that is not put back', async (context) => {
  for (const [which, when] of [1, 3, 6].flatMap((which) => [[which, 'before'] as const, [which, 'after'] as const])) {
    const { root, directory, now, undo } = stage(context);
    kill('fix', root, directory, which, when);
    const changed = Object.entries(now()).filter(([path, value]) => value !== before[path]).length;
    assert.equal(changed, when === 'before' ? which - 1 : which, `killed ${when} write ${which}`);
    await undo();
    assert.deepEqual(now(), before, `killed ${when} write ${which}`);
  }
});

test('killed while it puts back, it goes on where it was; killed while it changes, a second time does the rest', async (context) => {
  const { root, directory, now, fix, undo } = stage(context);
  kill('fix', root, directory, 3, 'after');
  assert.equal((await fix()).length, 3);
  assert.deepEqual(now(), fixed);
  kill('undo', root, directory, 2, 'after');
  assert.deepEqual(outcomes(await undo()).sort(), [...new Array(4).fill('restored'), 'unchanged', 'unchanged']);
  assert.deepEqual(now(), before);
});

function kill(...args: (string | number)[]): void {
  const program = new URL('../support/fix-until-killed.ts', import.meta.url).pathname;
  const { signal, stderr } = spawnSync(process.execPath, [program, ...args.map(String)], { encoding: 'utf8' });
  assert.equal(signal, 'SIGKILL', stderr);
}

test('what somebody else changed since is left, and what the kernel refuses stays recorded', async (context) => {
  const { root, machine, now, fix, undo } = stage(context);
  await fix();
  setFile(root, core, 'cores/%p\n');
  const refusing: Machine = {
    ...machine,
    write: (path, text) => {
      if (path === irq) throw Object.assign(new Error('no'), { code: 'EIO' });
      machine.write(path, text);
    },
  };
  const made = await undo(refusing);
  assert.deepEqual(
    made.filter(({ outcome }) => outcome !== 'restored').map(({ path, outcome, detail }) => [path, outcome, detail]),
    [
      [irq, 'refused', 'EIO'],
      [core, 'left', 'it is cores/%p now'],
    ],
  );
  assert.equal(now()[irq], '0-1');
  assert.deepEqual(outcomes(await undo()), ['restored']);
  assert.deepEqual(now(), { ...before, [core]: 'cores/%p' });
});

test('what somebody set between two changes of ours is what is put back', async (context) => {
  const { root, now, fix, undo } = stage(context);
  await fix();
  setFile(root, core, '|/usr/share/other\n');
  assert.deepEqual(outcomes(await fix()), ['changed']);
  await undo();
  assert.deepEqual(now(), { ...before, [core]: '|/usr/share/other' });
});

test('a change that does not take is said to be refused, and the others are made', async (context) => {
  const { machine, now, fix } = stage(context);
  const deaf: Machine = { ...machine, write: (path, text) => (path === irq ? undefined : machine.write(path, text)) };
  const made = await fix(deaf);
  assert.deepEqual(
    made.filter(({ outcome }) => outcome === 'refused').map(({ path, detail }) => [path, detail]),
    [[irq, 'it kept its value']],
  );
  assert.deepEqual(now(), { ...fixed, [irq]: '0-3' });
});

test('after a boot the record means nothing', async (context) => {
  const { root, now, fix, undo } = stage(context);
  await fix();
  setFile(root, '/proc/sys/kernel/random/boot_id', 'second-boot\n');
  assert.deepEqual(await undo(), []);
  assert.deepEqual(now(), fixed);
});

test('a record that leads elsewhere, is none, or lies where others may write, is refused with the remedy', async (context) => {
  const { root, directory, file, record, fix } = stage(context);
  await fix();
  const change = { requirement: 'core-pattern', path: '/etc/shadow', before: 'x', after: 'y' };
  for (const path of ['/etc/shadow', '/proc/sys/../../etc/shadow', '/proc/self/mem']) {
    writeFileSync(file, JSON.stringify({ version: 1, boot: 'first-boot', changes: [{ ...change, path }] }));
    await assert.rejects(record(), /is none of ours; put the settings back by hand/, path);
  }
  writeFileSync(file, '{');
  await assert.rejects(record(), SystemError);
  chmodSync(directory, 0o777);
  await assert.rejects(record(), /others may write it; run as root, or set contestDirectory/);
  rmSync(directory, { recursive: true });
  symlinkSync(root, directory);
  await assert.rejects(record(), /it is no folder/);
});

test('an agent in contest mode changes, warns of the rest, and puts back at its end; one that only checks changes nothing', async (context) => {
  const { machine, directory, now } = stage(context);
  const warned: object[] = [];
  const logger = { ...{ debug() {}, info() {}, error() {} }, warn: (fields: object) => void warned.push(fields) };
  const clock = atOnce;
  const settings = { ...slots, contest: 'fix' as const, contestDirectory: directory };
  const fixing = await openContestMode(settings, { clock, logger, machine });
  assert.deepEqual(now(), fixed);
  assert.deepEqual(warned, [
    {
      ...{ requirement: 'smt', found: 'on', needed: 'off' },
      remedy: 'echo off > /sys/devices/system/cpu/smt/control, before the launcher starts',
    },
  ]);
  await fixing.close();
  await fixing.close();
  assert.deepEqual(now(), before);
  warned.length = 0;
  await (await openContestMode({ ...settings, contest: 'check' }, { clock, logger, machine })).close();
  assert.deepEqual(now(), before);
  assert.equal(warned.length, 7);
});

test('an agent that may not keep the record starts all the same, unchanged and warned', async (context) => {
  const { machine, directory, now } = stage(context);
  mkdirSync(directory);
  chmodSync(directory, 0o777);
  const warned: string[] = [];
  const logger = {
    ...{ debug() {}, info() {}, error() {} },
    warn: (_: object, text: string) => void warned.push(text),
  };
  const settings = { ...slots, contest: 'fix' as const, contestDirectory: directory };
  const mode = await openContestMode(settings, { clock: atOnce, logger, machine });
  await mode.close();
  assert.deepEqual(now(), before);
  assert.equal(warned.filter((text) => text === 'contest settings not touched').length, 2);
});
