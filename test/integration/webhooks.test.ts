/**
 * Owns webhooks from a request to a receiver that believes them, over real HTTP: what is sent, seen, replayed, rotated, and what is refused.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { verifyWebhook } from '../../client/typescript/client.ts';
import type { CoordinatorConfig } from '../../coordinator/config.ts';
import { createKeyRing, type KeyRing } from '../../coordinator/tenants/keys.ts';
import { digestHex, digestOf } from '../../shared/digest.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { makeReport, makeResult } from '../support/lease-results.ts';
import type { AgentScript } from '../support/scripted-agent.ts';
import { localReceivers, type Received, WebhookReceiver } from '../support/webhook-receiver.ts';

const request = { environment: { base: 'debian-13' }, run: { script: 'echo hello' } };
const willing: AgentScript = {
  offered: ({ lease, fence }, agent) => agent.say({ type: 'lease.completed', lease, fence, result: makeResult() }),
};

async function start(t: TestContext, changes: Partial<CoordinatorConfig> = {}, keys: KeyRing | null = null) {
  const receiver = await new WebhookReceiver().start();
  t.after(() => receiver.stop());
  const settings = { ...localReceivers, webhookPorts: [...localReceivers.webhookPorts] };
  const ranges = { webhookPrivateRanges: [...localReceivers.webhookPrivateRanges] };
  const coordinator = await startCoordinator(t, { ...settings, ...ranges, ...changes }, keys);
  const json = async (method: string, path: string, body?: object, headers: Record<string, string> = {}) => {
    const answer = await coordinator.ask(method, path, body, headers);
    return { status: answer.status, body: await answer.json() };
  };
  const submit = (webhook: object = { url: receiver.url() }, query = '') =>
    json('POST', `/v1/executions${query}`, { ...request, webhook });
  return Object.assign(coordinator, { receiver, json, submit });
}

const check = ({ headers, body }: Received, secret: string | readonly string[]) =>
  verifyWebhook({ headers, body, secret });

/** Asks until a delivery is as wanted; an attempt is recorded after its receiver has answered. */
async function untilState(coordinator: Awaited<ReturnType<typeof start>>, state: string, attempts = 1) {
  for (;;) {
    const { body } = await coordinator.json('GET', '/v1/webhooks/deliveries');
    const [delivery] = body.items;
    if (delivery?.state === state && delivery.attempts >= attempts) return delivery;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('the end of an execution is told its receiver, signed by the secret of its tenant, as the API answers it', async (t) => {
  const coordinator = await start(t);
  await coordinator.join(willing);
  const { id } = (await coordinator.submit()).body;
  const [received] = await coordinator.receiver.received(1);
  assert.ok(received !== undefined);
  const { secret, generation } = (await coordinator.json('GET', '/v1/webhooks/secret')).body;
  assert.equal(generation, 1);
  const verdict = await check(received, secret);
  assert.ok(verdict.isValid, JSON.stringify(verdict));
  const execution = (await coordinator.json('GET', `/v1/executions/${id}`)).body;
  assert.deepEqual(verdict.event, { type: 'execution.finished', timestamp: execution.finishedAt, data: execution });
  assert.deepEqual([received.path, received.headers['content-type']], ['/hook', 'application/json']);
  const delivery = await untilState(coordinator, 'delivered');
  assert.deepEqual(
    [delivery.id, delivery.execution, delivery.attempts, delivery.lastStatus, delivery.nextAttemptAt],
    [verdict.id, id, 1, 204, null],
  );
  assert.deepEqual((await coordinator.json('GET', `/v1/webhooks/deliveries/${delivery.id}`)).body, delivery);
  const ofIt = (await coordinator.json('GET', `/v1/webhooks/deliveries?execution=${id}`)).body.items;
  assert.deepEqual(ofIt, [delivery]);
  assert.deepEqual((await coordinator.json('GET', '/v1/webhooks/deliveries?execution=exec_none')).body.items, []);
  const metrics = await (await coordinator.ask('GET', '/metrics')).text();
  assert.match(metrics, /^envicutor_webhook_attempts_total\{outcome="taken",state="delivered"\} 1$/m);
});

test('a delivery is sent again when its tenant wants it, under the same id, and signed by both secrets after a rotation', async (t) => {
  const coordinator = await start(t);
  await coordinator.join(willing);
  await coordinator.submit();
  const { id } = await untilState(coordinator, 'delivered');
  const before = (await coordinator.json('GET', '/v1/webhooks/secret')).body.secret;
  const rotated = (await coordinator.json('POST', '/v1/webhooks/secret/rotate')).body;
  assert.notEqual(rotated.secret, before);
  assert.deepEqual([rotated.generation, rotated.previousUntil > rotated.rotatedAt], [2, true]);
  const replayed = await coordinator.json('POST', `/v1/webhooks/deliveries/${id}/replay`);
  assert.deepEqual([replayed.status, replayed.body.state], [202, 'waiting']);
  const [first, second] = await coordinator.receiver.received(2);
  assert.ok(first !== undefined && second !== undefined);
  assert.deepEqual([second.headers['webhook-id'], second.body], [id, first.body]);
  assert.equal((await untilState(coordinator, 'delivered', 2)).attempts, 2);
  for (const secret of [before, rotated.secret]) assert.ok((await check(second, secret)).isValid);
  assert.ok(!(await check(first, rotated.secret)).isValid);
  await coordinator.restart();
  assert.equal(
    (await coordinator.json('GET', '/v1/webhooks/secret')).body.secret,
    rotated.secret,
    'it is derived again',
  );
  assert.equal((await coordinator.json('POST', '/v1/webhooks/deliveries/delivery_none/replay')).status, 404);
});

test('a waited execution with a webhook is durable, and goes on when its client goes away', async (t) => {
  const coordinator = await start(t);
  const leaving = new AbortController();
  const waited = fetch(`${coordinator.url}/v1/executions?wait=60`, {
    ...{ method: 'POST', headers: { 'content-type': 'application/json' }, signal: leaving.signal },
    body: JSON.stringify({ ...request, webhook: { url: coordinator.receiver.url() } }),
  });
  const agent = await coordinator.join();
  const { lease, fence, order } = await agent.heard('lease.offer');
  leaving.abort();
  await assert.rejects(waited);
  // Requests that came after it went: by the last of them the coordinator knows.
  for (let index = 0; index < 10; index += 1) {
    const { body } = await coordinator.json('GET', `/v1/executions/${order.executionId}`);
    assert.notEqual(body.stage, 'cancelled');
  }
  agent.say({ type: 'lease.completed', lease, fence, result: makeResult() });
  const [received] = await coordinator.receiver.received(1);
  assert.equal(JSON.parse(received?.body ?? '').data.id, order.executionId);
  await coordinator.restart();
  assert.equal((await coordinator.json('GET', `/v1/executions/${order.executionId}`)).body.verdict, 'ok');
});

test('a cancelled execution is over, too; a receiver that is gone is asked once', async (t) => {
  const coordinator = await start(t);
  coordinator.receiver.respond = (response) => response.writeHead(410).end();
  const { id } = (await coordinator.submit()).body;
  await coordinator.json('DELETE', `/v1/executions/${id}`);
  const [received] = await coordinator.receiver.received(1);
  assert.equal(JSON.parse(received?.body ?? '').data.stage, 'cancelled');
  const delivery = await untilState(coordinator, 'gone');
  assert.deepEqual([delivery.lastStatus, delivery.lastError], [410, 'the receiver answered 410']);
});

test('large outputs are cut in what is sent, and say so; the API has them whole', async (t) => {
  const coordinator = await start(t);
  const stdout = `${'ü😀'.repeat(400_000)}`;
  await coordinator.join({
    offered: ({ lease, fence }, agent) =>
      agent.say({ type: 'lease.completed', lease, fence, result: makeResult({ run: makeReport({ stdout }) }) }),
  });
  const { id } = (await coordinator.submit()).body;
  const [received] = await coordinator.receiver.received(1);
  assert.ok((received?.body.length ?? 0) < 256 * 1024);
  const { run } = JSON.parse(received?.body ?? '').data;
  assert.ok(run.stdoutTruncated && run.stdout.length > 10_000 && stdout.startsWith(run.stdout));
  assert.ok(run.stdout.isWellFormed());
  const whole = (await coordinator.json('GET', `/v1/executions/${id}`)).body.run;
  assert.deepEqual([whole.stdout, whole.stdoutTruncated], [stdout, false]);
});

test('a receiver that may not be reached is refused by its place, and so is what is no event', async (t) => {
  const coordinator = await start(t, { webhookPrivateRanges: [], webhookPlainHttp: false, webhookPorts: ['443'] });
  const told = async (webhook: object) => {
    const { status, body } = await coordinator.submit(webhook);
    return [status, body.code, body.errors[0].pointer];
  };
  for (const url of ['http://judge.example/', 'https://127.0.0.1/', 'https://[::1]/', 'https://a:b@judge.example/']) {
    assert.deepEqual(await told({ url }), [400, 'request-invalid', '/webhook/url'], url);
  }
  const url = 'https://judge.example/';
  assert.deepEqual(await told({ url, events: ['started'] }), [400, 'request-invalid', '/webhook/events/0']);
  assert.deepEqual(await told({ url, events: [] }), [400, 'request-invalid', '/webhook/events']);
  assert.deepEqual(await told({ url, secret: 'x' }), [400, 'request-invalid', '/webhook/secret']);
  assert.deepEqual(await told({}), [400, 'request-invalid', '/webhook/url']);
});

test('a delivery that is handed back to the API causes nothing', async (t) => {
  const coordinator = await start(t);
  await coordinator.join(willing);
  const outcome = Promise.withResolvers<{ status: number; body: { code: string } }>();
  // A receiver that makes a request of what it is told, as it came.
  coordinator.receiver.respond = (response, { headers }) => {
    response.writeHead(200).end();
    const carried = Object.fromEntries(Object.entries(headers).filter(([name]) => /^(webhook|envicutor)-/.test(name)));
    const webhook = { url: coordinator.receiver.url() };
    outcome.resolve(
      coordinator.json('POST', '/v1/executions', { ...request, webhook }, carried as Record<string, string>),
    );
  };
  await coordinator.submit();
  const { status, body } = await outcome.promise;
  assert.deepEqual([status, body.code], [403, 'forbidden']);
  assert.equal((await coordinator.json('GET', '/v1/executions')).body.items.length, 1);
});

test("deliveries and secrets are each tenant's own", async (t) => {
  const keysOf = (id: string) => [{ name: 'k', sha256: digestHex(digestOf(id)) }];
  const tenants = ['one', 'two'].map((id) => ({ id, keys: keysOf(id) }));
  const coordinator = await start(t, {}, createKeyRing({ tenants }));
  const as = (id: string) => ({ authorization: `Bearer ${id}` });
  await coordinator.join(willing);
  await coordinator.json(
    'POST',
    '/v1/executions',
    { ...request, webhook: { url: coordinator.receiver.url() } },
    as('one'),
  );
  const [received] = await coordinator.receiver.received(1);
  const id = String(received?.headers['webhook-id']);
  const secrets = await Promise.all(
    ['one', 'two'].map(
      async (name) => (await coordinator.json('GET', '/v1/webhooks/secret', undefined, as(name))).body.secret,
    ),
  );
  assert.notEqual(secrets[0], secrets[1]);
  assert.equal((await coordinator.json('GET', `/v1/webhooks/deliveries/${id}`, undefined, as('one'))).status, 200);
  assert.equal((await coordinator.json('GET', `/v1/webhooks/deliveries/${id}`, undefined, as('two'))).status, 404);
  assert.equal(
    (await coordinator.json('POST', `/v1/webhooks/deliveries/${id}/replay`, undefined, as('two'))).status,
    404,
  );
  assert.deepEqual((await coordinator.json('GET', '/v1/webhooks/deliveries', undefined, as('two'))).body.items, []);
  assert.equal((await coordinator.ask('GET', '/v1/webhooks/secret')).status, 401);
});
