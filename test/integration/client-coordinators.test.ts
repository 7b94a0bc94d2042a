/**
 * Owns the proof that the client goes on when the coordinator that answers for its tenant is killed: what it waits for, follows and submits meanwhile is done
 * once, by whoever takes over. Real coordinators on a real PostgreSQL; a scripted agent.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EnvicutorClient, type ExecutionEvent } from '../../client/typescript/client.ts';
import { Coordinators } from '../support/coordinators.ts';
import { makeResult } from '../support/lease-results.ts';

const request = { environment: { base: 'debian-13' }, run: { script: 'echo hello' } } as const;

test('the coordinator that answers for the tenant is killed: what is waited for, followed and submitted meanwhile goes on at the other, once each', async (t) => {
  const coordinators = await Coordinators.prepare(t, { tenants: ['one', 'two'] });
  const two = [await coordinators.start(), await coordinators.start()];
  for (const wanted of ['peer reached', 'shards taken'])
    await Promise.all(two.map((one) => one.logged(({ msg }) => msg === wanted)));
  const { owner, other } = await coordinators.split('one');
  // Nobody ends anything before the owner is gone.
  const held = await coordinators.join(owner, { slots: 1 });
  const retries = { delayMsMin: 50, delayMsMax: 500 };
  const client = new EnvicutorClient({ url: other.url, key: coordinators.keyOf('one'), retries });
  const events: ExecutionEvent[] = [];
  const running = [
    client.run(request),
    client.run(request, { onEvent: (event) => events.push(event) }),
    client.batch([request]).then(async ([handle]) => await handle?.result()),
  ];
  const countOf = async () => {
    let count = 0;
    for await (const _ of client.list()) count += 1;
    return count;
  };
  await held.heard('lease.offer');
  while ((await countOf()) < 3) await new Promise((resolve) => setImmediate(resolve));
  await owner.end('SIGKILL');
  const meanwhile = client.run(request);
  await coordinators.join(other, {
    offered: ({ lease, fence }, agent) => agent.say({ type: 'lease.completed', lease, fence, result: makeResult() }),
  });
  const answers = await Promise.all([...running, meanwhile]);
  assert.deepEqual(
    answers.map((answer) => answer?.verdict),
    ['ok', 'ok', 'ok', 'ok'],
  );
  assert.equal(events.at(-1)?.type, 'finished');
  assert.equal(await countOf(), 4);
});
