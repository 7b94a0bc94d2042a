/**
 * Owns the proof that what tenants send holds a bounded part of the coordinator's memory, and that each finds room.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getHeapStatistics } from 'node:v8';
import { RequestMemory } from '../../coordinator/executions/request-memory.ts';
import type { Tenant } from '../../coordinator/tenants/keys.ts';
import type { ExecutionRequest } from '../../shared/model/execution.ts';

const tenant = (id: string, weight = 1): Tenant => ({ id, weight, isOperator: false });
const weighing = (characters: number): ExecutionRequest => ({
  environment: {},
  files: [{ path: '', content: 'x'.repeat(characters - 10) }],
  run: { script: 'x'.repeat(10) },
});

function fill(memory: RequestMemory, who: Tenant, characters = 100): number {
  for (let count = 0; ; count += 1) {
    try {
      memory.take(who, [weighing(characters)]);
    } catch {
      return count;
    }
  }
}

test('a tenant alone has two thirds of it, and the next one finds room', () => {
  const memory = new RequestMemory({ liveRequestBytesMax: 9000, isEmbedded: false });
  assert.equal(fill(memory, tenant('one')), 60);
  assert.equal(fill(memory, tenant('two')), 20);
  assert.ok(fill(memory, tenant('three')) > 5);
  assert.ok(memory.bytes <= 9000);
});

test('a bound that nobody has set is a quarter of the heap', () => {
  const memory = new RequestMemory({ liveRequestBytesMax: 0, isEmbedded: true });
  memory.take(tenant('local'), [weighing(1000)]);
  const quarter = Math.floor(getHeapStatistics().heap_size_limit / 4);
  // One text, many times: it is there once, and weighs as often as it is named.
  const [file] = weighing(10_000_000).files ?? [];
  const many = Array.from({ length: Math.ceil(quarter / 10_000_000) }, () => ({
    ...weighing(20),
    files: file === undefined ? [] : [file],
  }));
  assert.throws(() => memory.take(tenant('local'), many), new RegExp(`at most ${quarter} now`));
});

test('an instance of one tenant gives it all', () => {
  const memory = new RequestMemory({ liveRequestBytesMax: 9000, isEmbedded: true });
  assert.equal(fill(memory, tenant('local')), 90);
});

test('what is given back can be had again, and a batch is taken whole or not at all', () => {
  const memory = new RequestMemory({ liveRequestBytesMax: 9000, isEmbedded: false });
  const one = tenant('one');
  const [weight = 0] = memory.take(one, [weighing(5000)]);
  assert.equal(weight, 5000);
  assert.throws(
    () => memory.take(one, [weighing(500), weighing(3000)]),
    /hold 5000 bytes, of at most 8000.*3500 more/s,
  );
  assert.throws(() => memory.take(tenant('two'), [weighing(4500)]), /hold 0 bytes, of at most 4000/);
  assert.equal(memory.bytes, 5000);
  memory.giveBack(one, weight);
  assert.equal(memory.bytes, 0);
  assert.deepEqual(memory.take(one, [weighing(500), weighing(2000)]), [500, 2000]);
});

test('what is larger than all of it is let in alone; what was accepted before is held whatever room there is', () => {
  const memory = new RequestMemory({ liveRequestBytesMax: 100, isEmbedded: false });
  const one = tenant('one');
  assert.deepEqual(memory.take(one, [weighing(500)]), [500]);
  assert.throws(() => memory.take(one, [weighing(10)]), /queue-full|try again/);
  assert.equal(memory.hold(one, weighing(1000)), 1000);
  assert.equal(memory.bytes, 1500);
});
