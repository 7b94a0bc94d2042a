/**
 * Owns how much of the coordinator's memory bodies may hold together while they arrive.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as open } from 'node:http';
import { test } from 'node:test';
import { startCoordinator } from '../support/coordinator-fixture.ts';

const MEBIBYTE = 1024 * 1024;
const small = { environment: {}, run: { script: 'true' } };

test('bodies that arrive hold a bounded part of memory; what is beyond it comes again, and small ones always pass', async (t) => {
  const coordinator = await startCoordinator(t, { liveRequestBytesMax: 4 * MEBIBYTE });
  const { hostname, port } = new URL(coordinator.url);
  const headersOf = (length: number) => ({
    ...{ 'content-type': 'application/json', 'content-length': length, expect: '100-continue' },
  });
  /** One that is let in and sends nothing yet. */
  const begin = async (length: number) => {
    const path = '/v1/executions';
    const sent = open({ hostname, port, method: 'POST', path, headers: headersOf(length), agent: false });
    sent.on('error', () => undefined);
    t.after(() => sent.destroy());
    sent.flushHeaders();
    await once(sent, 'continue');
    return sent;
  };
  const arriving = [await begin(2 * MEBIBYTE), await begin(MEBIBYTE)];
  const ask = (length: number) =>
    coordinator.ask('POST', '/v1/executions', { ...small, run: { script: 'true', stdin: 'x'.repeat(length) } });
  const refused = await ask(1.5 * MEBIBYTE);
  assert.equal(refused.status, 429);
  const { code, detail } = await refused.json();
  assert.equal(code, 'queue-full');
  assert.match(detail, /^bodies that are being read leave no room for 15\d+ bytes now; try again in 2 s$/);
  assert.equal(refused.headers.get('retry-after'), '2');
  assert.equal((await ask(100)).status, 202);
  for (const sent of arriving) sent.destroy();
  // The server hears of it in its own time.
  let again = await ask(1.5 * MEBIBYTE);
  while (again.status === 429) again = await ask(1.5 * MEBIBYTE);
  assert.equal(again.status, 202);
  // What was read holds its room no longer by this.
  assert.equal((await ask(1.5 * MEBIBYTE)).status, 202);
});
