/**
 * Owns the proof of where executions go and of what is said about it, through the API: constraints, explanations, what no agent can take.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { makeResult } from '../support/lease-results.ts';

const base = { environment: { base: 'debian-13' }, run: { script: 'true' } };

test('an execution goes where its placement says, and the answer names who was looked at and why', async (t) => {
  const coordinator = await startCoordinator(t);
  const ordinary = await coordinator.join({ slots: 4 });
  const contest = await coordinator.join({ slots: 1, pool: 'contest', labels: { room: '2' } });
  const submit = async (placement: object) =>
    await (await coordinator.ask('POST', '/v1/executions', { ...base, placement })).json();
  const { id } = await submit({ pool: 'contest', labels: { room: '2' } });
  const { order, lease, fence } = await contest.heard('lease.offer');
  assert.equal(order.executionId, id);
  const explained = await (await coordinator.ask('GET', `/v1/executions/${id}/placement`)).json();
  assert.deepEqual(explained.constraints, {
    architecture: 'x86_64',
    pool: 'contest',
    labels: { room: '2' },
    exclusiveCore: false,
  });
  const [attempt] = explained.attempts;
  assert.equal(attempt.agent.pool, 'contest');
  assert.deepEqual(
    attempt.considered.map(({ outcome, layersHeld }: { outcome: string; layersHeld: number }) => [outcome, layersHeld]),
    [['chosen', 0]],
  );
  assert.equal(explained.waiting, null);

  const waiting = await submit({ pool: 'contest' });
  const why = await (await coordinator.ask('GET', `/v1/executions/${waiting.id}/placement`)).json();
  assert.deepEqual(why.attempts, []);
  assert.deepEqual(
    why.waiting.agents.map(({ obstacles }: { obstacles: string[] }) => obstacles),
    [['pool'], ['full']],
  );
  contest.say({ type: 'lease.completed', lease, fence, result: makeResult() });
  await contest.heard('lease.offer', (offer) => offer.order.executionId === waiting.id);
  const again = await (await coordinator.ask('GET', `/v1/executions/${waiting.id}/placement`)).json();
  assert.deepEqual([again.attempts.length, again.attempts[0].considered[0].layersHeld], [1, 1]);
  assert.equal(ordinary.said.filter(({ type }) => type === 'lease.offer').length, 0);
  assert.equal((await coordinator.ask('GET', '/v1/executions/exec_00000000/placement')).status, 404);
});

test('what no agent fits waits for one until its deadline, and says so', async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await coordinator.join();
  const { id } = await (
    await coordinator.ask('POST', '/v1/executions?wait=20', {
      ...base,
      placement: { labels: { gpu: 'yes' }, deadlineMs: 1000 },
    })
  ).json();
  assert.equal(id, undefined, 'it is a problem');
  const answer = await coordinator.ask('POST', '/v1/executions?wait=20', {
    ...base,
    placement: { pool: 'elsewhere', deadlineMs: 500 },
  });
  assert.equal(answer.status, 503);
  const { code, detail } = await answer.json();
  assert.equal(code, 'no-agent');
  assert.match(detail, /within 500 ms; 1 are connected, 0 of them fit its placement/);
  assert.equal(agent.said.filter(({ type }) => type === 'lease.offer').length, 0);
});

test('a placement that can not be is refused by name', async (t) => {
  const coordinator = await startCoordinator(t);
  const refused = async (placement: object) => {
    const answer = await coordinator.ask('POST', '/v1/executions', { ...base, placement });
    assert.equal(answer.status, 400);
    const { errors } = await answer.json();
    return errors[0];
  };
  const { pointer, detail } = await refused({ architecture: process.arch === 'arm64' ? 'x86_64' : 'aarch64' });
  assert.equal(pointer, '/placement/architecture');
  assert.match(detail, /environments are built for \w+ here$/);
  assert.equal((await refused({ deadlineMs: 0 })).pointer, '/placement/deadlineMs');
  assert.equal((await refused({ labels: { a: 1 } })).pointer, '/placement/labels/a');
  assert.equal((await refused({ exclusive: true })).pointer, '/placement/exclusive');
});

test('memory is never promised twice, and a core of its own is found only where there is one', async (t) => {
  const coordinator = await startCoordinator(t);
  const offer = { memoryBytes: 768 * 1024 ** 2, diskBytes: 1e9 };
  const agent = await coordinator.join({ slots: 4, offer, exclusiveCores: true });
  const limits = { memoryBytes: 512 * 1024 ** 2 };
  const submit = async (placement: object = {}) => {
    const run = { script: 'true', limits };
    return await (await coordinator.ask('POST', '/v1/executions', { ...base, run, placement })).json();
  };
  const first = await submit({ exclusiveCore: true });
  const { lease, fence, order } = await agent.heard('lease.offer');
  assert.equal(order.executionId, first.id);
  const second = await submit();
  const { waiting } = await (await coordinator.ask('GET', `/v1/executions/${second.id}/placement`)).json();
  assert.deepEqual(waiting.agents[0].obstacles, ['memory']);
  agent.say({ type: 'lease.completed', lease, fence, result: makeResult() });
  await agent.heard('lease.offer', (message) => message.order.executionId === second.id);

  await coordinator.join({ slots: 4, pool: 'shared', offer });
  const third = await submit({ pool: 'shared', exclusiveCore: true });
  const why = await (await coordinator.ask('GET', `/v1/executions/${third.id}/placement`)).json();
  assert.deepEqual(
    why.waiting.agents.map(({ obstacles }: { obstacles: string[] }) => obstacles),
    [['pool', 'memory'], ['exclusive-core']],
  );
});
