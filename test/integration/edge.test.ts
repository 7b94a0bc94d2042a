/**
 * Owns the proof that an agent process serves its own site as its coordinator would: the same verdicts, the same refusals, on loopback and to its
 * owner's keys alone, from what it holds, on slots that are counted once. Needs root, no registry.
 */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import type { Execution } from '../../shared/model/execution.ts';
import { ApiClient } from '../support/api-client.ts';
import { badRequests } from '../support/bad-requests.ts';
import { bodyOf, setEdgeStage, toOutcome, toRefusal, until } from '../support/edge-stage.ts';
import { compileC } from '../support/real-launcher.ts';

const environment = { base: 'debian-13' };
const POST = '/v1/executions?wait=30';

test('a request has the verdict that its coordinator gives, by description and by id, also while it is cut off', {
  timeout: 120_000,
}, async (context) => {
  const { relay, edge, there, start } = await setEdgeStage(context);
  const agent = await start();
  const main = { path: 'main', encoding: 'base64', executable: true };
  const crash = compileC('int main() { *(volatile int *)0 = 1; }').toString('base64');
  const requests = [
    { run: { script: 'echo "$BASE $1"; cat', arguments: ['an argument'], stdin: 'input' }, metadata: { number: 1 } },
    { files: [{ path: 'a', content: 'b' }], compile: { script: 'cat a > c' }, run: { script: 'cat c; exit 3' } },
    { compile: { script: 'echo no >&2; exit 4' }, run: { script: 'true' } },
    { files: [{ ...main, content: crash }], run: { script: './main' } },
    { run: { script: 'while :; do :; done', limits: { cpuTimeMs: 200 } } },
    { run: { script: 'while :; do echo yes; done', limits: { outputBytes: 10_000 } } },
    { run: { script: '#!/no/such/interpreter' } },
    {
      ...{ compile: { script: 'echo cat > made' }, run: { script: 'sh made' }, stopAfterFailures: 1 },
      ...{ tests: [{ stdin: 'a', expected: 'a' }, { stdin: 'b', expected: 'c' }, {}] },
      check: {
        kind: 'program',
        compile: { script: 'echo read > how' },
        run: { script: 'read how < how; $how o < "$2" || :; $how a < "$3" || :; [ "$o" = "$a" ]' },
      },
    },
  ];
  const before: Execution[] = [];
  for (const request of requests) {
    before.push(bodyOf(await there().post<Execution>(POST, { environment, ...request }), 200));
  }
  const id = before[0]?.environment?.id;
  relay.cut();
  await agent.logged(({ msg }) => msg === 'coordinator lost');
  for (const [index, request] of requests.entries()) {
    for (const named of [environment, id]) {
      const here = bodyOf(await edge().post<Execution>(POST, { environment: named, ...request }), 200);
      assert.deepEqual(toOutcome(here), toOutcome(before[index] as Execution));
      assert.deepEqual([here.agent, here.attempts], [before[index]?.agent, 1]);
    }
  }
  assert.deepEqual(
    before.map(({ verdict }) => verdict),
    [
      'ok',
      'nonzero-exit',
      'nonzero-exit',
      'signaled',
      'cpu-time-exceeded',
      'output-exceeded',
      'start-failed',
      'wrong-answer',
    ],
  );
});

test('what is wrong is told as the coordinator tells it; what an edge can not do has a name', {
  timeout: 120_000,
}, async (context) => {
  const { edge, there, start } = await setEdgeStage(context);
  await start();
  const run = { script: 'echo here' };
  const { environment: made } = bodyOf(await there().post<Execution>(POST, { environment, run }), 200);
  for (const [title, body] of badRequests) {
    assert.deepEqual(toRefusal(await edge().post(POST, body)), toRefusal(await there().post(POST, body)), title);
  }
  for (const body of ['{"environment": {,}}', '{"a": ', '', '[]', '"\ud800"']) {
    assert.deepEqual(toRefusal(await edge().post(POST, body)), toRefusal(await there().post(POST, body)), body);
  }
  for (const path of ['?cursor=x', '?curser=x', '/exec_00000000', '/exec_00000000/events']) {
    const [here, elsewhere] = [await edge().get(`/v1/executions${path}`), await there().get(`/v1/executions${path}`)];
    assert.deepEqual(toRefusal(here), toRefusal(elsewhere), path);
  }
  const excess = { environment, run: { ...run, limits: { memoryBytes: 2 ** 50 } } };
  assert.deepEqual(toRefusal(await edge().post(POST, excess)), toRefusal(await there().post(POST, excess)));
  const codeOf = async (body: object, name = 'site') => {
    const { status, code } = toRefusal(await edge(name).post(POST, body)) as { status: number; code: string };
    return `${status} ${code}`;
  };
  assert.equal(await codeOf({ environment: `env_${'0'.repeat(52)}`, run }), '404 environment-not-found');
  assert.equal(await codeOf({ environment: { setup: 'true' }, run }), '503 environment-not-held');
  assert.equal(await codeOf({ environment: { base: 'debian-13', fresh: true }, run }), '400 request-invalid');
  assert.equal(await codeOf({ environment: { ...environment, visibility: 'private' }, run }), '400 request-invalid');
  assert.equal(await codeOf({ environment, run, tests: [] }), '400 request-invalid');
  assert.equal(await codeOf({ environment, run, webhook: { url: 'https://judge.example/' } }), '400 request-invalid');
  assert.equal(await codeOf({ environment, run, placement: { pool: 'another' } }), '503 no-agent');
  assert.equal(await codeOf({ environment, run, placement: { labels: { rare: 'yes' } } }), '503 no-agent');
  assert.equal(await codeOf({ environment: made?.id, run }, 'other'), '404 environment-not-found');
  assert.equal(
    await codeOf({ environment, run: { ...run, limits: { cpuTimeMs: 501 } } }, 'small'),
    '400 limit-above-maximum',
  );
  // Its layers are everybody's, so whoever describes it may use it.
  assert.equal(bodyOf(await edge('other').post<Execution>(POST, { environment, run }), 200).verdict, 'ok');
  assert.equal((await edge().post('/v1/environments', environment)).status, 404);
});

test('an execution is followed while it runs and from where its reader was; who goes away without a key of its own ends it', {
  timeout: 60_000,
}, async (context) => {
  const { url, edge, there, start } = await setEdgeStage(context);
  const agent = await start();
  bodyOf(await there().post<Execution>(POST, { environment, run: { script: 'true' } }), 200);
  const body = { environment, run: { script: 'echo one; sleep 1; echo two >&2' } };
  const { id } = bodyOf(await edge().post<Execution>('/v1/executions', body), 202);
  const events = await edge().events(`/v1/executions/${id}/events`, 'finished');
  assert.deepEqual(
    events.map(({ event }) => event),
    ['stage', 'stage', 'stdout', 'stderr', 'stage', 'finished'],
  );
  assert.equal(JSON.parse(events.at(-1)?.data ?? '').id, id);
  const headers = { authorization: 'Bearer key-site', 'last-event-id': '4' };
  const rest = await (await fetch(`${url}/v1/executions/${id}/events`, { headers })).text();
  assert.deepEqual(
    [...rest.matchAll(/^id: (.*)$/gm)].map((match) => match[1]),
    ['5', String(Number.MAX_SAFE_INTEGER)],
  );
  const gone = new AbortController();
  const waited = fetch(`${url}/v1/executions?wait=30`, {
    ...{ method: 'POST', signal: gone.signal, body: JSON.stringify({ environment, run: { script: 'sleep 30' } }) },
    headers: { ...headers, 'content-type': 'application/json' },
  });
  const { executionId } = await agent.logged(
    ({ msg, executionId: placed }) => msg === 'execution of this site placed' && placed !== id,
  );
  gone.abort();
  await assert.rejects(waited);
  const ended = await until(
    async () => (await edge().get<Execution>(`/v1/executions/${executionId}`)).body,
    ({ finishedAt }) => finishedAt !== null,
  );
  assert.equal(ended.stage, 'cancelled');
});

/** Sends a request as it is, which fetch does not do for Host and Origin. */
async function raw(url: string, headers: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.end(`GET /v1/executions HTTP/1.1\r\n${headers}connection: close\r\n\r\n`);
  return (await text(socket)).slice(9, 12);
}

test('it is there for loopback and for a key of its owner, and for nobody else; tenants see their own', {
  timeout: 60_000,
}, async (context) => {
  const { url, edge, there, start } = await setEdgeStage(context);
  await start();
  for (const api of [new ApiClient(url), new ApiClient(url, 'key-third'), new ApiClient(url, 'ey-site')]) {
    assert.equal((await api.get('/v1/executions')).status, 401);
    assert.equal((await api.post(POST, { environment, run: { script: 'true' } })).status, 401);
  }
  const { host, port } = new URL(url);
  const key = 'authorization: Bearer key-site\r\n';
  assert.equal(await raw(url, `host: ${host}\r\n${key}`), '200');
  assert.equal(await raw(url, `host: evil.example\r\n${key}`), '403');
  assert.equal(await raw(url, `host: ${host}\r\n${key}origin: https://evil.example\r\n`), '403');
  assert.equal(await raw(url, `host: ${host}\r\n${key}sec-fetch-site: cross-site\r\n`), '403');
  const others = Object.values(networkInterfaces()).flat();
  for (const { address } of others.filter((found) => found?.internal === false && found.family === 'IPv4') as {
    address: string;
  }[]) {
    await assert.rejects(fetch(`http://${address}:${port}/v1/executions`), `${address} is not served`);
  }
  bodyOf(await there().post<Execution>(POST, { environment, run: { script: 'true' } }), 200);
  const { id } = bodyOf(await edge().post<Execution>(POST, { environment, run: { script: 'true' } }), 200);
  assert.equal((await edge().get(`/v1/executions/${id}`)).status, 200);
  assert.equal((await edge('other').get(`/v1/executions/${id}`)).status, 404);
  assert.equal((await edge('other').delete(`/v1/executions/${id}`)).status, 404);
  const list = async (name: string) =>
    bodyOf(await edge(name).get<{ items: Execution[] }>('/v1/executions'), 200).items.map((item) => item.id);
  assert.deepEqual([await list('site'), await list('other')], [[id], []]);
});

test('a slot is promised once: what the site has or waits for is not there for leases, and the other way round', {
  timeout: 60_000,
}, async (context) => {
  const { edge, there, start } = await setEdgeStage(context, '1');
  const agent = await start();
  const submit = async (api: ApiClient, script: string) =>
    bodyOf(await api.post<Execution>('/v1/executions', { environment, run: { script } }), 202).id;
  const finished = (api: ApiClient, id: string) =>
    until(
      async () => (await api.get<Execution>(`/v1/executions/${id}`)).body,
      ({ finishedAt }) => finishedAt !== null,
    );
  const slots = async () => {
    const { items } = (await there('other').get<{ items: { slots: { total: number } }[] }>('/v1/agents')).body;
    return items[0]?.slots.total;
  };
  await finished(there(), await submit(there(), 'true'));
  const local = await submit(edge(), 'sleep 4; echo local');
  await until(slots, (total) => total === 0);
  const leased = await submit(there(), 'sleep 4; echo leased');
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal((await there().get<Execution>(`/v1/executions/${leased}`)).body.stage, 'queued');
  assert.equal((await finished(edge(), local)).run?.stdout, 'local\n');
  const between = await until(
    async () => (await there().get<Execution>(`/v1/executions/${leased}`)).body,
    ({ stage }) => stage === 'running',
  );
  const next = await submit(edge(), 'echo next');
  const cancelled = await submit(edge(), 'echo never');
  assert.equal((await edge().get<Execution>(`/v1/executions/${next}`)).body.stage, 'queued');
  assert.equal((await edge().delete<Execution>(`/v1/executions/${cancelled}`)).body.stage, 'cancelled');
  assert.equal((await finished(there(), between.id)).run?.stdout, 'leased\n');
  assert.equal((await finished(edge(), next)).run?.stdout, 'next\n');
  await until(slots, (total) => total === 1);
  assert.ok(!agent.log.some(({ msg }) => msg === 'lease refused'));
});
