/**
 * Owns the proof of the rule by which layers go: property tests over random uses by random tenants, and the cases that a reader wants to see.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Digest, digestOf } from '../../shared/digest.ts';
import { LayerShelf, type ShelvedLayer } from '../../shared/layers/layer-shelf.ts';

const layer = (name: string, owner: string | null, bytes = 10): ShelvedLayer => ({
  digest: digestOf(name) as Digest,
  bytes,
  users: 0,
  isPinned: false,
  owner,
});

/** Makes room for a layer and puts it there; who went. */
function admit(shelf: LayerShelf, arriving: ShelvedLayer): ShelvedLayer[] {
  const gone: ShelvedLayer[] = [];
  for (let next = shelf.victim([arriving]); next !== null; next = shelf.victim([arriving])) gone.push(next);
  shelf.place(arriving);
  return gone;
}

test('a tenant that fetches one layer after the other flushes itself, not the others', () => {
  const shelf = new LayerShelf({ bytesMax: 100, tenantBytesMax: 50 });
  const others = ['base', 'tools'].map((name) => layer(name, null)).concat(layer('quiet', 'quiet'));
  for (const one of others) admit(shelf, one);
  for (let number = 0; number < 100; number += 1) admit(shelf, layer(`loud ${number}`, 'loud'));
  for (const one of others) assert.equal(shelf.find(one.digest), one);
  assert.equal(shelf.ownedBy('loud'), 70, 'what nobody else needs it may use');
  const quiet = ['1', '2', '3', '4'].map((name) => layer(`quiet ${name}`, 'quiet'));
  for (const one of quiet) admit(shelf, one);
  assert.equal(shelf.ownedBy('quiet'), 50);
  assert.equal(shelf.ownedBy('loud'), 50, 'within its share it is as good as anybody');
  for (const one of quiet) assert.equal(shelf.find(one.digest), one);
});

test("a layer that a second tenant uses, or that is pinned, is nobody's", () => {
  const shelf = new LayerShelf({ bytesMax: 1000, tenantBytesMax: 50 });
  const one = layer('one', 'a');
  shelf.place(one);
  assert.equal(shelf.ownedBy('a'), 10);
  one.owner = null;
  shelf.place(one);
  assert.equal(shelf.ownedBy('a'), 0);
  const two = layer('two', 'a');
  two.isPinned = true;
  shelf.place(two);
  assert.equal(shelf.ownedBy('a'), 0);
  two.isPinned = false;
  shelf.place(two);
  assert.deepEqual([shelf.ownedBy('a'), shelf.bytes], [10, 20]);
});

const tenants = ['a', 'b', 'c', null] as const;
const step = fc.record({
  name: fc.integer({ min: 0, max: 30 }),
  act: fc.constantFrom('use' as const, 'begin' as const, 'end' as const, 'pin' as const, 'unpin' as const),
});

test('whatever is done: the books are right, what is kept never goes, and nobody below its share goes for somebody above', () => {
  const bounds = { bytesMax: 200, tenantBytesMax: 60 };
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const shelf = new LayerShelf(bounds);
      for (const { name, act } of steps) {
        const fresh = layer(String(name), tenants[name % 4] ?? null, 5 + (name % 7) * 5);
        const one = shelf.find(fresh.digest) ?? fresh;
        const owned = (owner: string) =>
          shelf.ownedBy(owner) + (one === fresh && fresh.owner === owner ? fresh.bytes : 0);
        const isAbove = (owner: string | null) => owner !== null && owned(owner) > bounds.tenantBytesMax;
        if (one === fresh) {
          for (;;) {
            const mayGo = shelf.all().filter(({ users, isPinned }) => users === 0 && !isPinned);
            const wereAbove = mayGo.filter(({ owner }) => isAbove(owner));
            const gone = shelf.victim([fresh]);
            if (gone === null) {
              assert.ok(shelf.bytes + fresh.bytes <= bounds.bytesMax || mayGo.length === 0);
              break;
            }
            assert.ok(gone.users === 0 && !gone.isPinned);
            if (wereAbove.length > 0) assert.ok(wereAbove.includes(gone), 'one above its share went first');
            else assert.equal(gone, mayGo[0], 'the least recently used went');
          }
        }
        if (act === 'begin') one.users += 1;
        if (act === 'end' && one.users > 0) one.users -= 1;
        if (act === 'pin' || act === 'unpin') one.isPinned = act === 'pin';
        shelf.place(one);
        const all = shelf.all();
        assert.equal(
          shelf.bytes,
          all.reduce((sum, { bytes }) => sum + bytes, 0),
        );
        for (const tenant of ['a', 'b', 'c']) {
          const mine = all.filter(({ owner, isPinned }) => owner === tenant && !isPinned);
          assert.equal(
            shelf.ownedBy(tenant),
            mine.reduce((sum, { bytes }) => sum + bytes, 0),
          );
        }
      }
    }),
  );
});
