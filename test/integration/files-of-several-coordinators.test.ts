/**
 * Owns files where several coordinators share a database: whoever is asked, the one that answers for the tenant takes a file in, and executions use and leave
 * files wherever the agents are.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type PostgresServer, startPostgresServer } from '../../ops/postgres/private-postgres.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { Coordinators, simpleRequest } from '../support/coordinators.ts';
import { makeResult } from '../support/lease-results.ts';

let postgres: PostgresServer;
before(async () => {
  postgres = await startPostgresServer();
});
after(() => postgres.stop());

async function startTwo(t: Parameters<typeof Coordinators.prepare>[0]) {
  const coordinators = await Coordinators.prepare(t, { postgres, tenants: ['one', 'two'] });
  const two = [await coordinators.start(), await coordinators.start()];
  for (const wanted of ['peer reached', 'shards taken']) {
    await Promise.all(two.map((one) => one.logged(({ msg }) => msg === wanted)));
  }
  return coordinators;
}

const bytes = { 'content-type': 'application/octet-stream' };

test('a file is sent to any coordinator, used by an agent of another one, and what is left comes back', async (t) => {
  const coordinators = await startTwo(t);
  const { owner, other } = await coordinators.split('one');
  const [here, there] = [coordinators.as('one', owner), coordinators.as('one', other)];
  const sent = await there.post<{ id: string }>('/v1/files', 'content', bytes);
  assert.equal(sent.status, 200, JSON.stringify(sent.body));
  const again = await here.post<{ id: string }>('/v1/files', 'content', bytes);
  assert.equal(again.body.id, sent.body.id);
  assert.equal((await coordinators.as('two', owner).get(`/v1/files/${sent.body.id}`)).status, 404);
  // The only agents are with the coordinator that does not answer for the tenant; the first is of an older release.
  const older = await coordinators.join(other, { understands: ['order.environment'] });
  const agent = await coordinators.join(other, { understands: ['order.inputs', 'order.collect'] });
  const run = { script: 'cat > left', stdin: sent.body.id, stdinEncoding: 'file', collect: ['left'] };
  const waiting = here.post<Execution>('/v1/executions?wait=20', { ...simpleRequest, run });
  const { lease, fence, order } = await agent.heard('lease.offer');
  assert.equal(await (await fetch(order.inputs?.[0]?.url ?? '')).text(), 'content');
  // A load balancer may send it to either.
  const url = new URL(order.collect?.url ?? '');
  const put = await fetch(new URL(`${url.pathname}?path=left`, other.url), {
    method: 'PUT',
    headers: bytes,
    body: 'left',
  });
  assert.equal(put.status, 200, 'it is passed on to the one that answers for the tenant');
  const { file } = (await put.json()) as { file: `file_${string}` };
  const files = [{ path: 'left', file, bytes: 4 }];
  agent.say({ type: 'lease.completed', lease, fence, result: { ...makeResult(), files } });
  const { status, body } = await waiting;
  assert.deepEqual([status, body.files], [200, files]);
  assert.equal(
    older.said.some(({ type }) => type === 'lease.offer'),
    false,
  );
  for (const client of [here, there]) {
    const got = await client.get<string>(`/v1/files/${file}`);
    assert.deepEqual([got.status, got.body], [200, 'left']);
  }
});

test('an accepted execution keeps its deleted file through the end of its coordinator', async (t) => {
  const coordinators = await startTwo(t);
  const { owner, other } = await coordinators.split('one');
  const client = coordinators.as('one', owner);
  const { body: file } = await client.post<{ id: string }>('/v1/files', 'needed', bytes);
  const run = { script: 'cat', stdin: file.id, stdinEncoding: 'file' };
  const accepted = await client.post<Execution>('/v1/executions', { ...simpleRequest, run });
  assert.equal(accepted.status, 202);
  assert.equal((await client.delete(`/v1/files/${file.id}`)).status, 204);
  await owner.end('SIGKILL');
  const agent = await coordinators.join(other, { understands: ['order.inputs'] });
  const { order } = await agent.heard('lease.offer');
  const url = new URL(order.inputs?.[0]?.url ?? '');
  assert.equal(await (await fetch(url)).text(), 'needed');
});
