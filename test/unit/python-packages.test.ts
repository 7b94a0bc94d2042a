/**
 * Owns the lock under which environments of Python are made: one at a time, and nobody waits for who is dead.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { whileLocked } from '../support/python-packages.ts';

const module = new URL('../support/python-packages.ts', import.meta.url).href;

function lockIn(t: { after(ending: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), 'envicutor-lock-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return join(folder, 'lock');
}

test('of several who want a lock each has it alone, and one that fails gives it back', async (t) => {
  const lock = lockIn(t);
  const order: string[] = [];
  const act = (name: string) =>
    whileLocked(lock, async () => {
      order.push(`${name} begins`);
      for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      order.push(`${name} ends`);
      if (name === 'b') throw new Error('it failed');
    });
  const ends = await Promise.allSettled([act('a'), act('b'), act('c')]);
  assert.deepEqual(
    ends.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  for (let at = 0; at < 6; at += 2) assert.equal(order[at + 1], order[at]?.replace('begins', 'ends'), order.join());
});

test('a process that is killed while it has a lock leaves it to the next', async (t) => {
  const lock = lockIn(t);
  const program = `import { whileLocked } from ${JSON.stringify(module)};
    await whileLocked(${JSON.stringify(lock)}, () => {
      process.stdout.write('held');
      return new Promise((resolve) => setTimeout(resolve, 1e6));
    });`;
  const holder = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  holder.kill('SIGKILL');
  let isMine = false;
  await whileLocked(lock, () => {
    isMine = true;
    return Promise.resolve();
  });
  assert.ok(isMine);
});
