/**
 * Owns event streams that break: a reader that resumes gets what it has not had, once; one that is too slow is cut, may come back, and is told what it
 * has missed; a run that begins anew after a restart is told whole. Over real HTTP; the agent is played.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { type TestContext, test } from 'node:test';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { makeResult } from '../support/lease-results.ts';
import { SeededNumbers } from '../support/seeded-numbers.ts';

const request = { environment: { base: 'debian-13' }, run: { script: 'true' } };

interface Event {
  readonly id: string | null;
  readonly name: string;
  readonly data: ReturnType<typeof JSON.parse>;
}

function parse(text: string): { events: Event[]; rest: string } {
  const blocks = text.split('\n\n');
  const rest = blocks.pop() ?? '';
  const events = blocks.flatMap((block) => {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? null;
    const name = field('event');
    return name === null ? [] : [{ id: field('id'), name, data: JSON.parse(field('data') ?? 'null') }];
  });
  return { events, rest };
}

/** A reader of a stream that a test can break off. */
async function open(url: string, lastEventId: string | null): Promise<IncomingMessage> {
  const asked = get(url, { headers: lastEventId === null ? {} : { 'last-event-id': lastEventId }, agent: false });
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  answer.on('error', () => undefined);
  return answer;
}

async function stage(t: TestContext) {
  const coordinator = await startCoordinator(t);
  const agent = await coordinator.join();
  const { id } = await (await coordinator.ask('POST', '/v1/executions', request)).json();
  const { lease, fence } = await agent.heard('lease.offer');
  agent.say({ type: 'lease.stage', lease, stage: 'running' });
  const write = (text: string) => {
    const data = Buffer.from(text).toString('base64');
    agent.say({ type: 'lease.output', lease, script: 'run', stream: 'stdout', data });
  };
  const end = () => agent.say({ type: 'lease.completed', lease, fence, result: makeResult() });
  return { coordinator, agent, id, url: () => `${coordinator.url}/v1/executions/${id}/events`, write, end };
}

const textOf = (events: readonly Event[]) =>
  events.map(({ name, data }) => (name === 'stdout' ? Buffer.from(data.data, 'base64').toString() : '')).join('');

test('a stream that is cut forty times at any byte is one story: nothing is missing, nothing comes twice', async (t) => {
  const { url, write, end } = await stage(t);
  const random = new SeededNumbers('streams');
  const events: Event[] = [];
  let expected = '';
  for (let cuts = 0; cuts < 40; cuts += 1) {
    for (let lines = random.below(20); lines >= 0; lines -= 1) {
      const line = `${expected.length} ${'x'.repeat(random.below(300))}\n`;
      expected += line;
      write(line);
    }
    const answer = await open(url(), events.at(-1)?.id ?? null);
    let text = '';
    const enough = 1 + random.below(2000);
    for await (const chunk of answer) {
      // Whatever was half there when it broke was not heard.
      text += String(chunk).slice(0, Math.max(0, enough - text.length));
      if (text.length >= enough) break;
    }
    events.push(...parse(text).events);
  }
  end();
  const answer = await open(url(), events.at(-1)?.id ?? null);
  let text = '';
  for await (const chunk of answer) text += String(chunk);
  events.push(...parse(text).events);
  assert.equal(textOf(events), expected);
  const ids = events.map(({ id }) => Number(id));
  assert.deepEqual(
    ids,
    [...new Set(ids)].sort((a, b) => a - b),
  );
  assert.equal(events.at(-1)?.name, 'finished');
  assert.equal((await open(url(), events.at(-1)?.id ?? null)).statusCode, 204);
});

test('a reader that does not read is cut once it has missed something, and is told how much when it comes back', async (t) => {
  const { url, write, end, coordinator, id } = await stage(t);
  const slow = await open(url(), null);
  slow.pause();
  const large = 'y'.repeat(60_000);
  for (let sent = 0; sent < 300; sent += 1) write(large);
  write('last');
  let text = '';
  while (!text.includes(Buffer.from('last').toString('base64'))) {
    text = '';
    const quick = await open(url(), null);
    quick.on('data', (chunk) => {
      text += String(chunk);
      if (text.includes(Buffer.from('last').toString('base64'))) quick.destroy();
    });
    // While all of it is still being written the newest reader may be too slow, too.
    await new Promise((resolve) => quick.on('close', resolve));
  }
  const seen = parse(text).events;
  assert.equal(seen[0]?.name, 'forgotten');
  const [first] = seen.filter(({ id }) => id !== null);
  assert.equal(Number(first?.id), seen[0]?.data.events + 1);
  let early = '';
  slow.resume();
  slow.on('data', (chunk) => {
    early += String(chunk);
  });
  await new Promise((resolve) => slow.on('close', resolve));
  assert.equal(slow.complete, false, 'it was cut');
  const last = parse(early).events.at(-1)?.id ?? '0';
  end();
  const again = await open(url(), last);
  let rest = '';
  for await (const chunk of again) rest += String(chunk);
  const [forgotten, next] = parse(rest).events;
  assert.deepEqual([forgotten?.name, forgotten?.id], ['forgotten', null]);
  assert.equal(Number(next?.id), Number(last) + forgotten?.data.events + 1);
  assert.equal((await (await coordinator.ask('GET', `/v1/executions/${id}`)).json()).stage, 'finished');
});

test('a run that begins anew after a restart is told from its beginning to whoever followed the one before', async (t) => {
  const { coordinator, agent, url, write, id } = await stage(t);
  for (let at = 0; at < 50; at += 1) write(`before ${at}\n`);
  const first = await open(url(), null);
  let text = '';
  for await (const chunk of first) {
    text += String(chunk);
    if (text.includes(Buffer.from('before 49\n').toString('base64'))) break;
  }
  const last = parse(text).events.at(-1)?.id ?? null;
  await coordinator.restart();
  const back = await coordinator.join({ keys: agent.keys });
  const { lease, fence, order } = await back.heard('lease.offer');
  assert.equal(order.executionId, id);
  back.say({ type: 'lease.stage', lease, stage: 'running' });
  back.say({
    type: 'lease.output',
    lease,
    script: 'run',
    stream: 'stdout',
    data: Buffer.from('anew').toString('base64'),
  });
  back.say({ type: 'lease.completed', lease, fence, result: makeResult() });
  const again = await open(url(), last);
  let rest = '';
  for await (const chunk of again) rest += String(chunk);
  const { events } = parse(rest);
  assert.deepEqual(events[0]?.data, { stage: 'queued', cause: 'requeued' });
  assert.deepEqual([textOf(events), events.at(-1)?.name], ['anew', 'finished']);
  await coordinator.restart();
  const stored = await open(url(), last);
  let end = '';
  for await (const chunk of stored) end += String(chunk);
  assert.deepEqual(
    parse(end).events.map(({ name }) => name),
    ['finished'],
  );
  assert.equal((await open(url(), events.at(-1)?.id ?? null)).statusCode, 204);
});
