/**
 * Owns the proof that a webhook outlives its coordinator: killed between the result and the delivery, or in the middle of one, and when its tenant's shard
 * goes to another. Real processes on a real PostgreSQL, scripted agents, a real receiver.
 */
import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { verifyWebhook } from '../../client/typescript/client.ts';
import { type PostgresServer, startPostgresServer } from '../../ops/postgres/private-postgres.ts';
import type { CoordinatorProcess } from '../support/coordinator-process.ts';
import { Coordinators, simpleRequest } from '../support/coordinators.ts';
import { makeResult } from '../support/lease-results.ts';
import type { AgentScript } from '../support/scripted-agent.ts';
import { WebhookReceiver } from '../support/webhook-receiver.ts';

const willing: AgentScript = {
  offered: ({ lease, fence }, agent) => agent.say({ type: 'lease.completed', lease, fence, result: makeResult() }),
};

let postgres: PostgresServer;
before(async () => {
  postgres = await startPostgresServer();
});
after(() => postgres.stop());

async function start(t: TestContext, count: number) {
  const receiver = await new WebhookReceiver().start();
  const variables = {
    ...{ WEBHOOK_PLAIN_HTTP: 'true', WEBHOOK_PORTS: '*', WEBHOOK_PRIVATE_RANGES: '127.0.0.1' },
    ...{ MEMBER_TTL_MS: '1500', WEBHOOK_TIMEOUT_MS: '60000' },
  };
  const coordinators = await Coordinators.prepare(t, { tenants: ['one'], postgres, variables });
  coordinators.atEnd(() => receiver.stop());
  for (let index = 0; index < count; index += 1) await coordinators.start();
  while ((await coordinators.ownerOf('one')) === '') await new Promise((resolve) => setTimeout(resolve, 50));
  const url = receiver.url();
  const submit = async (coordinator: CoordinatorProcess): Promise<string> => {
    const body = { ...simpleRequest, webhook: { url } };
    for (;;) {
      const { status, body: answer } = await coordinators
        .as('one', coordinator)
        .post<{ id: string }>('/v1/executions', body);
      if (status === 202) return answer.id;
      // The time of one that was killed is not over yet.
      assert.equal(status, 503, JSON.stringify(answer));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  /** Asks a coordinator until a delivery is delivered. */
  const untilDelivered = async (coordinator: CoordinatorProcess) => {
    for (;;) {
      const { body } = await coordinators
        .as('one', coordinator)
        .get<{ items: { id: string; state: string; attempts: number }[] }>('/v1/webhooks/deliveries');
      if (body.items?.[0]?.state === 'delivered') return body.items;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  return { receiver, coordinators, submit, untilDelivered, url };
}

test('a coordinator that is killed in the middle of a delivery makes it again, under the same id', async (t) => {
  const { receiver, coordinators, submit, untilDelivered } = await start(t, 1);
  const [first] = coordinators.all;
  assert.ok(first !== undefined);
  receiver.respond = () => undefined;
  await coordinators.join(first, willing);
  const id = await submit(first);
  await receiver.received(1);
  await first.end('SIGKILL');
  receiver.respond = (response) => response.writeHead(200).end();
  const second = await coordinators.start();
  const [before, again] = await receiver.received(2);
  assert.ok(before !== undefined && again !== undefined);
  assert.equal(again.headers['webhook-id'], before.headers['webhook-id']);
  assert.equal(again.body, before.body);
  const { body } = await coordinators.as('one', second).get<{ secret: string }>('/v1/webhooks/secret');
  const verdict = await verifyWebhook({ headers: again.headers, body: again.body, secret: body.secret });
  assert.ok(verdict.isValid && verdict.event.data.id === id);
  const deliveries = await untilDelivered(second);
  assert.deepEqual([deliveries.length, deliveries[0]?.attempts], [1, 1], 'what was not recorded is not counted');
});

test('what ended while its receiver was away is delivered by whoever comes after a kill', async (t) => {
  const { receiver, coordinators, submit, untilDelivered } = await start(t, 1);
  const [first] = coordinators.all;
  assert.ok(first !== undefined);
  receiver.respond = (response) => response.writeHead(503, { 'retry-after': '1' }).end();
  await coordinators.join(first, willing);
  await submit(first);
  await receiver.received(1);
  await first.end('SIGKILL');
  receiver.respond = (response) => response.writeHead(200).end();
  const second = await coordinators.start();
  await untilDelivered(second);
  const ids = new Set(receiver.all.map(({ headers }) => headers['webhook-id']));
  assert.equal(ids.size, 1);
});

test('a kill right after the result loses no delivery, whenever it comes', async (t) => {
  const { receiver, coordinators, submit } = await start(t, 1);
  let coordinator = coordinators.all[0] as CoordinatorProcess;
  const told = () => new Set(receiver.all.map(({ body }) => JSON.parse(body).data.id as string));
  const submitted: string[] = [];
  for (let round = 0; round < 4; round += 1) {
    const results = Promise.withResolvers<void>();
    let ended = 0;
    await coordinators.join(coordinator, {
      slots: 8,
      offered: ({ lease, fence }, agent) => {
        agent.say({ type: 'lease.completed', lease, fence, result: makeResult() });
        ended += 1;
        // In the midst of recording and sending.
        if (ended === 6) setTimeout(() => results.resolve(), 3 * round);
      },
    });
    submitted.push(...(await Promise.all(Array.from({ length: 12 }, () => submit(coordinator)))));
    await results.promise;
    await coordinator.end('SIGKILL');
    coordinator = await coordinators.start();
  }
  await coordinators.join(coordinator, { ...willing, slots: 8 });
  while (submitted.some((id) => !told().has(id))) await receiver.received(receiver.all.length + 1);
  const idsByExecution = new Map<string, Set<unknown>>();
  for (const { body, headers } of receiver.all) {
    const { id } = JSON.parse(body).data;
    idsByExecution.set(id, (idsByExecution.get(id) ?? new Set()).add(headers['webhook-id']));
  }
  assert.equal(idsByExecution.size, submitted.length);
  assert.ok(
    [...idsByExecution.values()].every((ids) => ids.size === 1),
    'one id for each execution, however often it came',
  );
});

test('a shard that goes to another coordinator takes its deliveries along', async (t) => {
  const { receiver, coordinators, submit, untilDelivered } = await start(t, 2);
  const { owner, other } = await coordinators.split('one');
  receiver.respond = () => undefined;
  await coordinators.join(owner, willing);
  await submit(owner);
  await receiver.received(1);
  await owner.end('SIGKILL');
  receiver.respond = (response) => response.writeHead(200).end();
  await untilDelivered(other);
  const [before, again] = receiver.all;
  assert.equal(receiver.all.length, 2);
  assert.equal(again?.headers['webhook-id'], before?.headers['webhook-id']);
});

test('a coordinator that leaves in good order gives its deliveries to the others, and one that is asked for them passes on', async (t) => {
  const { receiver, coordinators, submit, untilDelivered } = await start(t, 2);
  const { owner, other } = await coordinators.split('one');
  await coordinators.join(owner, willing);
  await submit(other);
  await receiver.received(1);
  const [delivery] = await untilDelivered(other);
  const rotated = await coordinators.as('one', other).post<{ generation: number }>('/v1/webhooks/secret/rotate', {});
  assert.deepEqual([rotated.status, rotated.body.generation], [200, 2], 'another coordinator answers for the tenant');
  await owner.end('SIGTERM');
  // Whoever has the tenant now sends it.
  for (;;) {
    const { status } = await coordinators.as('one', other).post(`/v1/webhooks/deliveries/${delivery?.id}/replay`, {});
    if (status === 202) break;
    assert.equal(status, 503);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const all = await receiver.received(2);
  assert.equal(all[1]?.headers['webhook-id'], delivery?.id);
});
