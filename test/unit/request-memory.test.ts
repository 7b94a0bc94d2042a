/**
 * Owns the proof that what tenants send holds a bounded part of the coordinator's memory, and that each finds room.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getHeapStatistics } from 'node:v8';
import { MemoryShares } from '../../coordinator/executions/memory-shares.ts';
import { RequestMemory } from '../../coordinator/executions/request-memory.ts';
import type { Tenant } from '../../coordinator/tenants/keys.ts';
import type { ExecutionRequest } from '../../shared/model/execution.ts';
import { memoryBytesOf } from '../../shared/text-length.ts';

const KILO = 1000;
/** More than what is small. */
const LARGE = 100 * KILO;

const tenant = (id: string, weight = 1): Tenant => ({ id, weight, isOperator: false });
const withText = (characters: number): ExecutionRequest => ({
  environment: {},
  files: [{ path: '', content: 'x'.repeat(characters) }],
  run: { script: 'true' },
});
/** What a request weighs that says nearly nothing. */
const EMPTY = memoryBytesOf(withText(0));
const weighing = (bytes: number): ExecutionRequest => withText(bytes - EMPTY);
const shared = (bytesMax: number) => new MemoryShares({ bytesMax, isEmbedded: false });

function fill(shares: MemoryShares, who: Tenant, bytes = 100): number {
  let count = 0;
  while (shares.take(who, bytes)) count += 1;
  return count;
}

test('a tenant alone has two thirds of it, and the next one finds room', () => {
  const shares = shared(9000);
  assert.equal(fill(shares, tenant('one')), 60);
  assert.equal(fill(shares, tenant('two')), 20);
  assert.ok(fill(shares, tenant('three')) > 5);
  assert.ok(shares.bytes <= 9000);
});

test('a tenant gets what it may have as the last of its bytes finds it, not as the first does', () => {
  const shares = shared(9000);
  assert.ok(shares.take(tenant('one'), 20));
  assert.equal(shares.take(tenant('one'), 8000), false);
  assert.ok(shares.take(tenant('one'), 5900));
  assert.equal(shares.take(tenant('one'), 81), false);
  assert.ok(shares.take(tenant('two'), 3000), 'there is room for another');
});

test('who holds nothing gets what fits, however little it weighs beside the others', () => {
  const shares = shared(1 << 30);
  const light = tenant('light', 1);
  assert.ok(shares.take(tenant('heavy', 100), 20));
  assert.ok(shares.take(light, 1 << 25));
  assert.equal(shares.take(light, 1 << 25), false, 'and no more than its weight allows after that');
  assert.equal(shares.take(tenant('lighter', 0.1), 1 << 30), false, 'nor what there is no room for');
});

test('a bound that nobody has set is a quarter of the heap', () => {
  const memory = new RequestMemory({ liveRequestBytesMax: 0, isEmbedded: true });
  memory.take(tenant('local'), [weighing(1000)]);
  const quarter = Math.floor(getHeapStatistics().heap_size_limit / 4);
  // One text, many times: it is there once, and weighs as often as it is named.
  const [file] = weighing(10_000_000).files ?? [];
  const many = Array.from({ length: Math.ceil(quarter / 10_000_000) }, () => ({
    ...withText(0),
    files: file === undefined ? [] : [file],
  }));
  assert.throws(() => memory.take(tenant('local'), many), new RegExp(`at most ${quarter} now`));
});

test('an instance of one tenant gives it all', () => {
  assert.equal(fill(new MemoryShares({ bytesMax: 9000, isEmbedded: true }), tenant('local')), 90);
});

test('what is given back can be had again, and a batch is taken whole or not at all', () => {
  const memory = new RequestMemory({ liveRequestBytesMax: 9000 * KILO, isEmbedded: false });
  const one = tenant('one');
  const [weight = 0] = memory.take(one, [weighing(5000 * KILO)]);
  assert.equal(weight, 5000 * KILO);
  assert.throws(
    () => memory.take(one, [weighing(500 * KILO), weighing(3000 * KILO)]),
    /hold 5000000 bytes, of at most 6000000.*3500000 more/s,
  );
  assert.throws(() => memory.take(tenant('two'), [weighing(4500 * KILO)]), /hold 0 bytes, of at most 4000000/);
  assert.equal(memory.bytes, 5000 * KILO);
  memory.giveBack(one, weight);
  assert.equal(memory.bytes, 0);
  assert.deepEqual(memory.take(one, [weighing(500 * KILO), weighing(2000 * KILO)]), [500 * KILO, 2000 * KILO]);
});

test('what is larger than all of it is let in alone; what was accepted before is held whatever room there is', () => {
  const memory = new RequestMemory({ liveRequestBytesMax: LARGE, isEmbedded: false });
  const one = tenant('one');
  assert.deepEqual(memory.take(one, [weighing(5 * LARGE)]), [5 * LARGE]);
  assert.throws(() => memory.take(one, [weighing(LARGE)]), /queue-full|try again/);
  assert.equal(memory.hold(one, weighing(10 * LARGE)), 10 * LARGE);
  assert.equal(memory.bytes, 15 * LARGE);
});

test('what is small is let in where what was accepted before left no room', () => {
  const memory = new RequestMemory({ liveRequestBytesMax: 10 * LARGE, isEmbedded: false });
  for (let count = 0; count < 12; count += 1) memory.hold(tenant('greedy'), weighing(LARGE));
  const other = tenant('other');
  assert.deepEqual(memory.take(other, [weighing(EMPTY), weighing(10 * KILO)]), [EMPTY, 10 * KILO]);
  assert.throws(() => memory.take(other, [weighing(30 * KILO), weighing(40 * KILO)]), /of at most \d+ now/);
});
