/**
 * Owns the proof that what an agent runs for its site is not lost: accepted work is taken up by its next process, and its coordinator hears of all of
 * it afterwards, for the tenants that want that. Needs root, no registry.
 */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Execution } from '../../shared/model/execution.ts';
import type { ApiClient } from '../support/api-client.ts';
import { bodyOf, setEdgeStage, toOutcome, until } from '../support/edge-stage.ts';

const environment = { base: 'debian-13' };
const POST = '/v1/executions?wait=30';

const list = async (api: ApiClient, query = '') =>
  bodyOf(await api.get<{ items: Execution[]; next: string | null }>(`/v1/executions${query}`), 200);
const finished = (api: ApiClient, id: string) =>
  until(
    async () => (await api.get<Execution>(`/v1/executions/${id}`)).body,
    ({ finishedAt }) => finishedAt !== null,
  );

test('work that was accepted while the agent was cut off survives its restarts, and the coordinator records it afterwards, once', {
  timeout: 120_000,
}, async (context) => {
  const { relay, edge, there, start, startAlone, folder } = await setEdgeStage(context);
  const first = await start();
  bodyOf(await there().post<Execution>(POST, { environment, run: { script: 'true' } }), 200);
  relay.cut();
  await first.logged(({ msg }) => msg === 'coordinator lost');
  const waited = bodyOf(
    await edge().post<Execution>(POST, { environment, run: { script: 'yes | head -c 40000' } }),
    200,
  );
  const key = { 'idempotency-key': 'once' };
  const body = { environment, run: { script: 'sleep 1; echo again' }, metadata: { a: 1 } };
  const { id } = bodyOf(await edge().post<Execution>('/v1/executions', body, key), 202);
  const queued = bodyOf(await edge('other').post<Execution>('/v1/executions', body), 202).id;
  await first.logged(({ msg, executionId }) => msg === 'execution of this site placed' && executionId === id);
  await first.end('SIGKILL');
  const second = await startAlone();
  assert.equal(bodyOf(await edge().post<Execution>('/v1/executions', body, key), 202).id, id);
  assert.equal((await edge().post('/v1/executions', { ...body, metadata: {} }, key)).status, 422);
  const ended = await finished(edge(), id);
  assert.deepEqual([ended.verdict, ended.run?.stdout, ended.metadata], ['ok', 'again\n', { a: 1 }]);
  await finished(edge('other'), queued);
  assert.deepEqual((await edge().events(`/v1/executions/${id}/events`, 'finished')).at(-1)?.event, 'finished');
  assert.deepEqual(
    (await list(edge())).items.map((item) => item.id),
    [id, waited.id],
  );
  const page = await list(edge(), '?limit=1');
  assert.deepEqual((await list(edge(), `?cursor=${page.next}`)).items, [(await list(edge())).items[1]]);
  await second.end('SIGKILL');
  relay.mend();
  const third = await start();
  const recorded = await until(
    async () => (await list(there())).items,
    (items) => items.length === 2,
  );
  const found = recorded.find((item) => item.id === id) as Execution;
  assert.deepEqual(toOutcome(found), toOutcome(ended));
  assert.deepEqual([found.agent, found.createdAt, found.finishedAt], [ended.agent, ended.createdAt, ended.finishedAt]);
  assert.deepEqual(bodyOf(await there().get<Execution>(`/v1/executions/${id}`), 200), found);
  const long = recorded.find((item) => item.id === waited.id)?.run;
  assert.deepEqual([long?.stdout.length, long?.stdoutTruncated, waited.run?.stdout.length], [16_384, true, 40_000]);
  const refusal = await third.logged(({ msg }) => msg === 'the coordinator refuses an execution of this site');
  assert.deepEqual([refusal['executionId'], refusal['code']], [queued, 'forbidden']);
  assert.equal((await there('other').get(`/v1/executions/${queued}`)).status, 404);
  assert.equal((await readdir(join(folder, 'state', 'executions'))).length, 3, 'they can be read at the agent, too');
  relay.cut();
  await third.logged(({ msg }) => msg === 'coordinator lost');
  relay.mend();
  const again = bodyOf(await edge().post<Execution>(POST, { environment, run: { script: 'true' } }), 200);
  await until(
    async () => (await list(there())).items,
    (items) => items.some((item) => item.id === again.id),
  );
  assert.equal((await list(there())).items.length, 3);
  context.diagnostic(`agent with an edge resident: ${(third.residentBytes / 2 ** 20).toFixed(0)} MiB`);
});

test('an agent that ends waits for the work of its site; who waits at an edge that stops is told so', {
  timeout: 60_000,
}, async (context) => {
  const { edge, there, start, startAlone } = await setEdgeStage(context);
  const first = await start();
  bodyOf(await there().post<Execution>(POST, { environment, run: { script: 'true' } }), 200);
  const { id } = bodyOf(
    await edge().post<Execution>('/v1/executions', { environment, run: { script: 'sleep 1' } }),
    202,
  );
  await first.logged(({ msg, executionId }) => msg === 'execution of this site placed' && executionId === id);
  const ending = first.end('SIGTERM');
  await first.logged(({ msg }) => msg === 'agent draining');
  const refused = await edge().post<{ code: string }>(POST, { environment, run: { script: 'true' } });
  assert.deepEqual([refused.status, refused.body.code], [503, 'draining']);
  assert.equal(await ending, 0);
  await startAlone();
  assert.equal(bodyOf(await edge().get<Execution>(`/v1/executions/${id}`), 200).verdict, 'ok');
});

test('an agent whose keys or port can not be used says why, and ends with 78', { timeout: 60_000 }, async (context) => {
  const { variables, startAgent, relay } = await setEdgeStage(context);
  for (const [changes, sentence] of [
    [{ EDGE_KEYS_FILE: '' }, /edgeKeysFile is needed with edgeListenPort/],
    [{ EDGE_KEYS_FILE: '/nowhere' }, /the file of edge keys \/nowhere: can't be read/],
    [{ EDGE_LISTEN_PORT: String(relay.port) }, /can't listen on 127\.0\.0\.1:\d+ \(EADDRINUSE\)/],
  ] as const) {
    await assert.rejects(
      startAgent({ ...variables, ...changes }),
      ({ message }: Error) => /ended with 78/.test(message) && sentence.test(message),
    );
  }
});
