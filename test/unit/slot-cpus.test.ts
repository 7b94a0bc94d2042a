/**
 * Owns the proof of what the setting `slotCpus` means: one set of processors for each slot, none of them in two.
 * Never pins: test/sandbox/launcher-cpus.test.ts does.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseCpus, toSlotCpus } from '../../agent/execution/slot-cpus.ts';
import { Slots } from '../../agent/execution/slots.ts';

const problemOf = (setting: string, slots: number, online: readonly number[]): string =>
  toSlotCpus(setting, slots, online).problem ?? '';

test('none pins no slot', () => {
  assert.deepEqual(toSlotCpus('none', 3, [0, 1]).cpus, [null, null, null]);
  assert.equal(new Slots(2, 1).cpusOf(1), null);
});

test('one core each follows the numbers that the machine has, gaps included', () => {
  assert.deepEqual(toSlotCpus('one-core-each', 3, [0, 2, 4, 6]).cpus, ['0', '2', '4']);
  assert.match(
    problemOf('one-core-each', 3, [0, 1]),
    /there are 2 processors for 3 slots; change slots \(ENVICUTOR_AGENT_SLOTS\)/,
  );
});

test('lists are taken as they are, one for each slot', () => {
  const { cpus } = toSlotCpus('0-1;2,5', 2, [0, 1, 2, 3, 5]);
  assert.deepEqual(cpus, ['0-1', '2,5']);
  assert.equal(new Slots(2, 1, cpus ?? []).cpusOf(1), '2,5');
  assert.match(problemOf('0;1;2', 2, [0, 1, 2]), /lists 3 sets for 2 slots/);
});

test('a processor that is missing, or belongs to two slots, is named', () => {
  assert.match(problemOf('0;7', 2, [0, 1]), /no processor 7; it has 0, 1/);
  assert.match(problemOf('0-1;1', 2, [0, 1]), /processor 1 belongs to slot 0 and to slot 1/);
  assert.match(problemOf('0;3-2', 2, [0, 1, 2, 3]), /'3-2' is no list/);
});

test('a list means the numbers that the kernel means by it, and anything else is none', () => {
  assert.deepEqual(parseCpus('0,2-4,7\n'), [0, 2, 3, 4, 7]);
  for (const text of ['', '-', '1-', '-1', '1,,2', 'a', '1 2', '3-1']) assert.equal(parseCpus(text), null, text);
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat({ max: 999 }), { minLength: 1 }), (cpus) => {
      assert.deepEqual(parseCpus(cpus.join(',')), cpus);
    }),
  );
});
