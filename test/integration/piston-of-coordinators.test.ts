/**
 * Owns Piston's protocol at several coordinators: whoever is asked, the tenant's own one runs it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { additions } from '../../shared/protocol/version.ts';
import { Coordinators } from '../support/coordinators.ts';
import { makeResult } from '../support/lease-results.ts';
import { askPiston, PistonConnection } from '../support/piston-client.ts';

test('a client is served by the coordinator of its tenant, whichever it asks, over HTTP and over the WebSocket', async (t) => {
  const coordinators = await Coordinators.prepare(t, { tenants: ['one', 'two'] });
  const two = [await coordinators.start(), await coordinators.start()];
  for (const wanted of ['peer reached', 'shards taken'])
    await Promise.all(two.map((one) => one.logged(({ msg }) => msg === wanted)));
  const { owner, other } = await coordinators.split('one');
  await coordinators.join(owner, {
    understands: [...additions],
    offered: ({ lease, fence }, agent) => agent.say({ type: 'lease.completed', lease, fence, result: makeResult() }),
  });
  const headers = { authorization: coordinators.keyOf('one') };
  const asked = { language: 'bash', version: '*', files: [{ content: 'echo hello' }] };
  for (const { url } of [other, owner]) {
    // As clients that say no content type: a body is passed on as it came.
    const { status, said } = await askPiston(url, 'POST', '/execute', asked, headers);
    assert.deepEqual([status, said.run?.stdout], [200, 'hello\n'], JSON.stringify(said));
    const connection = await PistonConnection.open(t, url, { headers });
    connection.say({ type: 'init', ...asked });
    assert.deepEqual(await connection.closed, [4999, 'Job Completed']);
    assert.deepEqual(connection.messages.at(-1), { type: 'exit', stage: 'run', code: 0, signal: null });
  }
  for (const { url } of [other, owner]) {
    const { status, said } = await askPiston(url, 'POST', '/packages', { language: 'bash', version: '*' }, headers);
    assert.deepEqual([status, said], [500, { message: 'Already installed' }]);
  }
  const ended = () => owner.log.filter(({ msg, tenantId }) => msg === 'execution ended' && tenantId === 'one');
  // A line may come a moment after the answer.
  await owner.logged(() => ended().length >= 4);
  assert.equal(ended().length, 4);
});
