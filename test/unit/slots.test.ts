/**
 * Owns the proof of the slots' invariant: no number is held twice, the lowest free one is given.
 * Never measures: it is pure bookkeeping, tried with random histories.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Slots } from '../../agent/execution/slots.ts';

test('whatever is taken and given back, the lowest free number is given and none twice', () => {
  const property = fc.property(fc.integer({ min: 1, max: 6 }), fc.array(fc.nat({ max: 9 })), (total, moves) => {
    const slots = new Slots(total);
    const held: number[] = [];
    for (const move of moves) {
      if (move < 5) {
        const expected = [...Array(total).keys()].find((slot) => !held.includes(slot)) ?? null;
        const slot = slots.take();
        assert.equal(slot, expected);
        if (slot !== null) held.push(slot);
      } else {
        const [slot] = held.splice(move % Math.max(1, held.length), 1);
        if (slot !== undefined) slots.giveBack(slot);
      }
      assert.equal(slots.free, total - held.length);
    }
  });
  fc.assert(property);
});

test('giving back what is not taken is a mistake of ours and throws', () => {
  const slots = new Slots(1);
  assert.throws(() => slots.giveBack(0), /slot 0 is not taken/);
  assert.throws(() => new Slots(0), /at least one slot/);
});
