/**
 * Owns rooms of other systems' protocols at several coordinators on one database: whoever is asked, a tenant's submissions and files are where its
 * coordinator is, and a token says which execution is meant without anybody having remembered it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Coordinators } from '../support/coordinators.ts';
import { foreignClient } from '../support/foreign-client.ts';
import { makeResult } from '../support/lease-results.ts';

const hello = { source_code: 'hello', language_id: 43 };
const file = '/jobe/index.php/restapi/files/0123456789abcdef';

test('submissions and files of a tenant are the same at every coordinator', async (t) => {
  const coordinators = await Coordinators.prepare(t);
  const first = await coordinators.start();
  await coordinators.start();
  const operator = coordinators.as('operator', first);
  await operator.put('/v1/tenants/new', {});
  const asked = { name: 'k', scopes: ['execute'] };
  const { key } = (await operator.post<{ key: string }>('/v1/tenants/new/keys', asked)).body;
  const { owner, other } = await coordinators.split('new');
  await coordinators.join(owner, {
    offered: ({ lease, fence }, agent) => agent.say({ type: 'lease.completed', lease, fence, result: makeResult() }),
  });
  const headers = { 'x-auth-token': key, 'x-api-key': key };
  const [atOwner, atOther] = [owner, other].map((one) => foreignClient(() => one.url, headers));
  assert.ok(atOwner !== undefined && atOther !== undefined);
  const { status, body } = await atOther('POST', '/submissions', hello);
  assert.equal(status, 201);
  const get = async (ask: typeof atOwner) => (await ask('GET', `/submissions/${body.token}`)).body;
  while ((await get(atOther)).status.id < 3) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(await get(atOwner), await get(atOther));
  assert.equal((await get(atOwner)).stdout, 'hello\n');
  const waited = await atOther('POST', '/submissions/?wait=true', hello);
  assert.deepEqual([waited.status, waited.body.status.id], [201, 3]);
  // Only one of them remembers what is not written down.
  assert.equal((await atOther('GET', `/submissions/${waited.body.token}`)).status, 200);
  assert.equal((await atOther('PUT', file, { file_contents: 'aGk=' })).status, 204);
  assert.deepEqual([(await atOwner('HEAD', file)).status, (await atOther('HEAD', file)).status], [204, 204]);
});
