/**
 * Owns the proof of who uses an instance in the background: it is told when nobody has for the time, and not while somebody holds on. Sockets are real.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { InstanceUsers } from '../../ops/local/users.ts';

/** No instance's port: a name of this process alone. */
const name = () => 100_000 + process.pid;
const join = (port: number): Socket => connect({ path: `\0envicutor-users-${port}` });

test('an instance is idle when nobody holds on to it, and only then; who comes early hears when it is ready', async () => {
  const idle = Promise.withResolvers<void>();
  let isIdle = false;
  const users = await InstanceUsers.listen(name(), 1, () => {
    isIdle = true;
    idle.resolve();
  });
  await assert.rejects(
    InstanceUsers.listen(name(), 1, () => undefined),
    { code: 'EADDRINUSE' },
  );
  const first = join(name());
  const lines = createInterface({ input: first })[Symbol.asyncIterator]();
  assert.equal((await lines.next()).value, `pid ${process.pid}`);
  users.ready();
  assert.equal((await lines.next()).value, 'ready');
  const second = join(name());
  await once(second, 'data');
  first.destroy();
  await once(first, 'close');
  // Longer than it may be idle, by its own clock.
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(isIdle, false, 'the second one still holds on');
  second.destroy();
  await idle.promise;
});
