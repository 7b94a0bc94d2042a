/**
 * What is said within a turn leaves in one write, in its order, when the turn's other work is done; without a stream nothing is asked of anybody.
 */
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { JoinedWrites } from '../../shared/protocol/joined-writes.ts';

class Writes extends Writable {
  readonly seen: string[][] = [];

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.seen.push([String(chunk)]);
    done();
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.seen.push(chunks.map(({ chunk }) => String(chunk)));
    done();
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('what is said within a turn leaves in one write after it, and the next turn in another', async () => {
  const writes = new Writes();
  const joined = new JoinedWrites(writes as never);
  for (const text of ['accepted', 'running']) {
    joined.begin();
    writes.write(text);
  }
  await Promise.resolve();
  assert.deepEqual(writes.seen, []);
  await turn();
  assert.deepEqual(writes.seen, [['accepted', 'running']]);
  joined.begin();
  writes.write('completed');
  await turn();
  assert.deepEqual(writes.seen, [['accepted', 'running'], ['completed']]);
});

test('without a stream there is nothing to join', () => {
  new JoinedWrites(null).begin();
});
