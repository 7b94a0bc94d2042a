/**
 * Owns the proof of the slots' invariants: no number is held twice, the lowest free one is given, no memory is promised twice.
 * Never measures: it is pure bookkeeping, tried with random histories.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Slots } from '../../agent/execution/slots.ts';

test('whatever is taken and given back, the lowest free number is given, and neither it nor memory twice', () => {
  const history = fc.array(fc.nat({ max: 9 }));
  const property = fc.property(
    fc.integer({ min: 1, max: 6 }),
    fc.integer({ min: 0, max: 20 }),
    history,
    (total, memory, moves) => {
      const slots = new Slots(total, memory);
      const promised = new Map<number, number>();
      const held: number[] = [];
      for (const move of moves) {
        if (move < 5) {
          const lowest = [...Array(total).keys()].find((slot) => !held.includes(slot));
          const left = memory - [...promised.values()].reduce((sum, bytes) => sum + bytes, 0);
          const taken = slots.take(move);
          if (lowest === undefined) assert.deepEqual(taken, { refusal: 'no slot is free' });
          else if (move > left) {
            const refusal = `${move} bytes of memory are asked for and ${left} are not promised yet`;
            assert.deepEqual(taken, { refusal });
          } else {
            assert.deepEqual(taken, { slot: lowest });
            held.push(lowest);
            promised.set(lowest, move);
          }
        } else {
          const [slot] = held.splice(move % Math.max(1, held.length), 1);
          if (slot !== undefined) {
            slots.giveBack(slot);
            promised.delete(slot);
          }
        }
        assert.equal(slots.free, total - held.length);
      }
    },
  );
  fc.assert(property);
});

test('giving back what is not taken is a mistake of ours and throws', () => {
  const slots = new Slots(1, 1);
  assert.throws(() => slots.giveBack(0), /slot 0 is not taken/);
  assert.throws(() => new Slots(0, 1), /at least one slot/);
});
