/**
 * Owns executions over real HTTP and a real WebSocket: from a request to a result, and everything that may come between.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { checkedFetch } from '../support/checked-fetch.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { builds } from '../support/fake-build-services.ts';
import { makeReport, makeResult } from '../support/lease-results.ts';
import type { AgentScript } from '../support/scripted-agent.ts';

const request = { environment: { base: 'debian-13' }, run: { script: 'echo hello' } };

/** An agent that completes every offer at once. */
const willing: AgentScript = {
  offered: ({ lease, fence }, agent) => agent.say({ type: 'lease.completed', lease, fence, result: makeResult() }),
};

test('a waited execution builds its environment, runs on an agent and answers with the report', async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await coordinator.join(willing);
  const answer = await coordinator.ask('POST', '/v1/executions?wait=true', { ...request, metadata: { a: [1] } });
  assert.equal(answer.status, 200);
  const execution = await answer.json();
  assert.equal(execution.stage, 'finished');
  assert.equal(execution.verdict, 'ok');
  assert.deepEqual(execution.run, makeReport());
  assert.deepEqual(execution.metadata, { a: [1] });
  assert.equal(execution.attempts, 1);
  assert.equal(coordinator.services.orders.length, 1);
  const offer = await agent.heard('lease.offer');
  assert.equal(offer.order.run.script, 'echo hello');
  assert.equal(offer.order.layers[0]?.origin, 'built');
  await agent.heard('lease.acknowledged');
  const again = await (await coordinator.ask('POST', '/v1/executions?wait=5', request)).json();
  assert.equal(again.environment.id, execution.environment.id);
  assert.equal(coordinator.services.orders.length, 1, 'the environment was there already');
});

test('an asynchronous execution is accepted at once, can be listed, and is found finished later', async (t) => {
  const coordinator = await startCoordinator(t);
  await coordinator.join(willing);
  const ids: string[] = [];
  for (let index = 0; index < 3; index += 1) {
    const answer = await coordinator.ask('POST', '/v1/executions', request);
    assert.equal(answer.status, 202);
    const { id } = await answer.json();
    assert.equal(answer.headers.get('location'), `/v1/executions/${id}`);
    ids.push(id);
    // The stream ends with the execution.
    await (await coordinator.ask('GET', `/v1/executions/${id}/events`)).text();
    const found = await (await coordinator.ask('GET', `/v1/executions/${id}`)).json();
    assert.equal(found.stage, 'finished');
  }
  const first = await (await coordinator.ask('GET', '/v1/executions?limit=2')).json();
  assert.deepEqual(
    first.items.map(({ id }: { id: string }) => id),
    [ids[2], ids[1]],
  );
  const second = await (await coordinator.ask('GET', `/v1/executions?limit=2&cursor=${first.next}`)).json();
  assert.deepEqual(
    second.items.map(({ id }: { id: string }) => id),
    [ids[0]],
  );
  assert.equal(second.next, null);
});

test('when the wait is over before the execution is, the answer is 202 and the execution goes on', async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await coordinator.join();
  const answer = await coordinator.ask('POST', '/v1/executions?wait=0.3', request);
  assert.equal(answer.status, 202);
  const { id } = await answer.json();
  const { lease, fence } = await agent.heard('lease.offer');
  agent.say({ type: 'lease.stage', lease, stage: 'running' });
  agent.say({ type: 'lease.completed', lease, fence, result: makeResult() });
  await agent.heard('lease.acknowledged');
  assert.equal((await (await coordinator.ask('GET', `/v1/executions/${id}`)).json()).stage, 'finished');
});

test("a script's failure is a finished execution with its own verdict", async (t) => {
  const coordinator = await startCoordinator(t);
  const run = makeReport({ verdict: 'signaled', exitCode: null, signal: 'SIGSEGV' });
  await coordinator.join({
    offered: ({ lease, fence }, agent) =>
      agent.say({ type: 'lease.completed', lease, fence, result: makeResult({ verdict: 'signaled', run }) }),
  });
  const answer = await coordinator.ask('POST', '/v1/executions?wait=true', request);
  assert.equal(answer.status, 200);
  const execution = await answer.json();
  assert.equal(execution.verdict, 'signaled');
  assert.equal(execution.endedIn, 'run');
  assert.equal(execution.failure, null);
});

test("a setup script's failure ends the execution in setup, without an agent", async (t) => {
  const coordinator = await startCoordinator(t);
  const report = makeReport({ verdict: 'nonzero-exit', exitCode: 7, stderr: 'no such package' });
  coordinator.services.script = (order) => {
    const [, finished] = builds(order) as never as [unknown, object];
    if (order.kind === 'base') return builds(order);
    return [{ ...finished, endedIn: 'setup', layer: null, report } as never];
  };
  const environment = { setup: 'exit 7' };
  const answer = await coordinator.ask('POST', '/v1/executions?wait=true', { ...request, environment });
  assert.equal(answer.status, 200);
  const execution = await answer.json();
  assert.deepEqual([execution.stage, execution.verdict, execution.endedIn], ['finished', 'nonzero-exit', 'setup']);
  assert.deepEqual(execution.setup, report);
  assert.equal(execution.agent, null);
});

test('a cancelled execution is ended on its agent and stays cancelled', async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await coordinator.join();
  const { id } = await (await coordinator.ask('POST', '/v1/executions', request)).json();
  const { lease, fence } = await agent.heard('lease.offer');
  const cancelled = await coordinator.ask('DELETE', `/v1/executions/${id}`);
  assert.equal((await cancelled.json()).stage, 'cancelled');
  assert.equal((await agent.heard('lease.cancel')).lease, lease);
  agent.say({ type: 'lease.completed', lease, fence, result: makeResult() });
  await agent.heard('lease.acknowledged');
  assert.equal((await (await coordinator.ask('DELETE', `/v1/executions/${id}`)).json()).stage, 'cancelled');
});

test('a client that closes its connection cancels what it waited for', async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await coordinator.join();
  const abort = new AbortController();
  const asked = checkedFetch(`${coordinator.url}/v1/executions?wait=true`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(request),
    signal: abort.signal,
  });
  await agent.heard('lease.offer');
  abort.abort();
  await assert.rejects(asked);
  await agent.heard('lease.cancel');
});

test('an idempotency key makes a repetition the same execution, and another body is refused', async (t) => {
  const coordinator = await startCoordinator(t);
  await coordinator.join(willing);
  const headers = { 'idempotency-key': 'k1' };
  const asked = [1, 2].map(() => coordinator.ask('POST', '/v1/executions?wait=true', request, headers));
  const [one, two] = await Promise.all(asked.map(async (answer) => (await answer).json()));
  assert.equal(one.id, two.id);
  const later = await coordinator.ask('POST', '/v1/executions?wait=true', request, headers);
  assert.equal((await later.json()).id, one.id);
  const other = await coordinator.ask('POST', '/v1/executions', { ...request, run: { script: 'true' } }, headers);
  assert.equal(other.status, 422);
  assert.equal((await other.json()).code, 'idempotency-key-reused');
});

test('events come in order, carry output, and a reader resumes where it was', async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await coordinator.join();
  const { id } = await (await coordinator.ask('POST', '/v1/executions', request)).json();
  const { lease, fence, order } = await agent.heard('lease.offer');
  assert.equal(order.isOutputStreamed, true);
  agent.say({ type: 'lease.stage', lease, stage: 'running' });
  agent.say({ type: 'lease.output', lease, script: 'run', stream: 'stdout', data: 'aGk=' });
  agent.say({ type: 'lease.completed', lease, fence, result: makeResult() });
  const text = await (await coordinator.ask('GET', `/v1/executions/${id}/events`)).text();
  const names = [...text.matchAll(/^event: (.*)$/gm)].map(([, name]) => name);
  assert.deepEqual(names.slice(-4), ['stage', 'stdout', 'stage', 'finished']);
  assert.ok(names.includes('build.log'));
  const numbers = [...text.matchAll(/^id: (.*)$/gm)].map(([, number]) => Number(number));
  // The last of every stream has the number that is the last.
  assert.deepEqual(
    numbers,
    numbers.map((_, index) => (index + 1 === numbers.length ? Number.MAX_SAFE_INTEGER : index + 1)),
  );
  const resume = { 'last-event-id': String(numbers.length - 1) };
  const rest = await (await coordinator.ask('GET', `/v1/executions/${id}/events`, undefined, resume)).text();
  assert.match(rest, /^id: \d+\nevent: finished\n/);
  const over = { 'last-event-id': String(numbers.at(-1)) };
  assert.equal((await coordinator.ask('GET', `/v1/executions/${id}/events`, undefined, over)).status, 204);
});

test('a full queue is refused before anything is accepted, with a time to come back', async (t) => {
  const coordinator = await startCoordinator(t, { queueDepthMax: 1 });
  assert.equal((await coordinator.ask('POST', '/v1/executions', request)).status, 202);
  const refused = await coordinator.ask('POST', '/v1/executions', request);
  assert.equal(refused.status, 429);
  assert.ok(Number(refused.headers.get('retry-after')) >= 1);
  assert.equal((await refused.json()).code, 'queue-full');
});

test('a waited execution that no agent takes in time is 503 with a time to come back', async (t) => {
  const coordinator = await startCoordinator(t, { queueWaitMsMax: 1000 });
  const answer = await coordinator.ask('POST', '/v1/executions?wait=true', request);
  assert.equal(answer.status, 503);
  assert.equal((await answer.json()).code, 'no-agent');
  assert.ok(answer.headers.has('retry-after'));
});

test('asynchronous executions that had no result are taken up again after a restart', async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await coordinator.join();
  const { id } = await (await coordinator.ask('POST', '/v1/executions', request)).json();
  await agent.heard('lease.offer');
  await coordinator.restart();
  assert.equal((await agent.closed).code, 4005);
  const back = await coordinator.join({ ...willing, keys: agent.keys });
  const offer = await back.heard('lease.offer');
  assert.equal(offer.order.executionId, id);
  await back.heard('lease.acknowledged');
  const found = await (await coordinator.ask('GET', `/v1/executions/${id}`)).json();
  assert.equal(found.stage, 'finished');
  await coordinator.restart();
  assert.deepEqual(await (await coordinator.ask('GET', `/v1/executions/${id}`)).json(), found);
});

test('what an agent could not run is run elsewhere; its own slot is not forgotten', async (t) => {
  const coordinator = await startCoordinator(t);
  const failure = { code: 'sandbox-failed', detail: 'no cgroup', isRetryable: true };
  const broken = await coordinator.join({
    offered: ({ lease, fence }, agent) =>
      agent.say({ type: 'lease.completed', lease, fence, result: makeResult({ verdict: null, failure, run: null }) }),
  });
  const asked = coordinator.ask('POST', '/v1/executions?wait=true', request);
  await broken.heard('lease.offer');
  await coordinator.join(willing);
  const execution = await (await asked).json();
  assert.equal(execution.verdict ?? execution.failure?.code, 'ok');
  assert.ok(execution.attempts >= 2);
});

test('an execution that fails everywhere through our fault is failed after three more attempts', async (t) => {
  const coordinator = await startCoordinator(t);
  const failure = { code: 'sandbox-failed', detail: 'no cgroup', isRetryable: true };
  await coordinator.join({
    offered: ({ lease, fence }, agent) =>
      agent.say({ type: 'lease.completed', lease, fence, result: makeResult({ verdict: null, failure, run: null }) }),
  });
  const execution = await (await coordinator.ask('POST', '/v1/executions?wait=true', request)).json();
  assert.equal(execution.stage, 'failed');
  assert.equal(execution.failure.code, 'retries-exhausted');
  assert.equal(execution.attempts, 4);
});

test('an execution on an agent that is lost goes to another one', async (t) => {
  const coordinator = await startCoordinator(t, { reconnectGraceMs: 50 });
  const lost = await coordinator.join();
  const asked = coordinator.ask('POST', '/v1/executions?wait=true', request);
  await lost.heard('lease.offer');
  lost.socket.terminate();
  await once(lost.socket, 'close');
  await coordinator.join(willing);
  const execution = await (await asked).json();
  assert.equal(execution.verdict, 'ok');
  assert.equal(execution.attempts, 2);
});
