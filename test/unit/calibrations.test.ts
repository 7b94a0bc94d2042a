/**
 * Owns the proof of when slots are calibrated and what of it is told: those with processors of their own, while nobody has them, again and again.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LentSlots } from '../../agent/execution/lent-slots.ts';
import type { SlotCpus } from '../../agent/execution/slot-cpus.ts';
import { Slots } from '../../agent/execution/slots.ts';
import { Calibrations, summarise } from '../../agent/timing/calibrations.ts';
import { silentLogger } from '../../shared/logger.ts';
import { FakeSandbox, type LaunchScript, launchReport } from '../support/fake-sandbox.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const MiB = 1024 * 1024;
const settled = () => new Promise((resolve) => setImmediate(resolve));

function setUp(slotCpus: readonly SlotCpus[], script: LaunchScript = () => launchReport({ cpuTimeMs: 20 })) {
  const clock = new VirtualClock();
  const sandbox = new FakeSandbox(script);
  const slots = new Slots(slotCpus.length, 100 * MiB, slotCpus);
  let changes = 0;
  const lent = new LentSlots(slots, () => {
    changes += 1;
  });
  const borrow = (slot: number, memoryBytes: number) => lent.borrowSlot(slot, memoryBytes);
  const calibrations = new Calibrations({ sandbox, clock, logger: silentLogger, borrow }, slotCpus, 60_000);
  const cpus = () => sandbox.launched.map((launched) => launched.cpus);
  return { clock, sandbox, slots, calibrations, cpus, changes: () => changes };
}

test('each slot with processors of its own is calibrated, one after another, on its own processors and as their holder', async () => {
  const held: number[] = [];
  const stage = setUp(['0', null, '2'], () => {
    held.push(stage.slots.total - stage.slots.free);
    return launchReport({ cpuTimeMs: held.length === 1 ? 99 : held.length % 2 === 0 ? 19 : 21 });
  });
  stage.calibrations.start();
  stage.calibrations.start();
  await settled();
  assert.deepEqual(stage.cpus(), [...new Array(11).fill('0'), ...new Array(11).fill('2')]);
  assert.ok(held.every((count) => count === 1));
  assert.deepEqual([stage.slots.free, stage.changes()], [3, 4]);
  const { at: _, ...found } = stage.calibrations.of('0') ?? { at: '' };
  assert.deepEqual(found, { runs: 10, cpuTimeMs: 21, coefficientOfVariation: 0.05 }, 'the first run does not count');
  assert.notEqual(stage.calibrations.of('2'), null);
  assert.equal(stage.calibrations.of(null), null);
});

test('it is done again after its interval; a slot that somebody has is left alone, and looked at again soon', async () => {
  const stage = setUp(['0', '1']);
  stage.slots.take(1);
  stage.calibrations.start();
  await settled();
  assert.deepEqual([stage.calibrations.of('0'), new Set(stage.cpus())], [null, new Set(['1'])]);
  stage.slots.giveBack(0);
  stage.clock.pass(5000);
  await settled();
  assert.deepEqual(stage.cpus().slice(11), new Array(11).fill('0'), 'the other one is not old yet');
  stage.clock.pass(59_999);
  await settled();
  assert.equal(stage.cpus().length, 22);
  stage.clock.pass(1);
  await settled();
  assert.equal(stage.cpus().length, 44);
});

test('work that fails leaves the slot uncalibrated and free', async () => {
  const stage = setUp(['0'], () => launchReport({ exitCode: 127 }));
  stage.calibrations.start();
  await settled();
  assert.deepEqual([stage.calibrations.of('0'), stage.slots.free], [null, 1]);
});

test('nothing is calibrated where no slot has processors of its own', async () => {
  const stage = setUp([null, null]);
  stage.calibrations.start();
  await settled();
  stage.clock.pass(600_000);
  assert.equal(stage.sandbox.launched.length, 0);
});

test('stop ends what runs and gives the slot back; nothing follows', async () => {
  const stage = setUp(['0', '1'], () => new Promise(() => undefined));
  stage.calibrations.start();
  await settled();
  await stage.calibrations.stop();
  assert.deepEqual([stage.sandbox.kills, stage.slots.free, stage.cpus().length], [1, 2, 1]);
  stage.clock.pass(600_000);
  await settled();
  assert.equal(stage.cpus().length, 1);
});

test('times that are all the same differ by nothing', () => {
  assert.deepEqual(summarise([7, 7, 7]), { runs: 3, cpuTimeMs: 7, coefficientOfVariation: 0 });
});
