/**
 * Owns who gets to a terminal and who does not, and what a client may say there: over real HTTP and WebSockets, with an agent that is played.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import type { CoordinatorConfig } from '../../coordinator/config.ts';
import { createKeyRing } from '../../coordinator/tenants/keys.ts';
import { terminalCloseCodes } from '../../shared/model/terminal.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { makeResult } from '../support/lease-results.ts';
import type { ScriptedAgent } from '../support/scripted-agent.ts';
import { type AttachOptions, postInteractive, TerminalScreen } from '../support/terminal-client.ts';

const understands = ['order.environment', 'order.terminal'];
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const keys = () =>
  createKeyRing({
    tenants: ['one', 'two'].map((id) => ({ id, keys: [{ name: 'test', sha256: sha256(`key-of-${id}`) }] })),
  });

/** A coordinator, an interactive execution of tenant one that runs, and the agent that plays it. */
async function stage(t: TestContext, changes: Partial<CoordinatorConfig> = {}, isKeyed = true) {
  const coordinator = await startCoordinator(t, changes, isKeyed ? keys() : null);
  const agent = await coordinator.join({ understands });
  const key = isKeyed ? { key: 'key-of-one' } : {};
  const id = await postInteractive(coordinator.url, { run: { script: 'sh' } }, key.key);
  const { lease, fence, order } = await agent.heard('lease.offer');
  agent.say({ type: 'lease.accepted', lease });
  agent.say({ type: 'lease.stage', lease, stage: 'running' });
  agent.say({ type: 'lease.news', lease, news: { kind: 'resumed', position: 0 } });
  agent.say({ type: 'lease.news', lease, news: { kind: 'started' } });
  const write = (text: string, position: number) => {
    const data = Buffer.from(text).toString('base64');
    agent.say({ type: 'lease.news', lease, news: { kind: 'output', position, data } });
  };
  const end = () => agent.say({ type: 'lease.completed', lease, fence, result: makeResult() });
  const ticket = async (bearer = key.key): Promise<{ status: number; ticket: string }> => {
    const headers: Record<string, string> = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
    const answer = await coordinator.ask('POST', `/v1/executions/${id}/terminal-ticket`, undefined, headers);
    return { status: answer.status, ...(await answer.json()) };
  };
  const attach = (options: AttachOptions = key) => TerminalScreen.attach(coordinator.url, id, options);
  const refused = (options: AttachOptions) => TerminalScreen.refused(coordinator.url, id, options);
  return { coordinator, agent, id, lease, order, write, end, ticket, attach, refused };
}

const inputs = (agent: ScriptedAgent) =>
  agent.said.flatMap((said) => (said.type === 'lease.command' && said.command.kind === 'input' ? [said.command] : []));

test("without a key, with a wrong one, and for what is another tenant's there is no terminal, and nothing is told of it", async (t) => {
  const { coordinator, id, attach, refused, write } = await stage(t);
  assert.deepEqual(await refused({}), [401, 'unauthenticated']);
  assert.deepEqual(await refused({ key: 'key-of-nobody' }), [401, 'unauthenticated']);
  assert.deepEqual(await refused({ key: 'key-of-two' }), [404, 'execution-not-found']);
  assert.deepEqual(await TerminalScreen.refused(coordinator.url, 'exec_00000000', { key: 'key-of-two' }), [
    ...[404, 'execution-not-found'],
  ]);
  assert.deepEqual(await refused({ key: 'key-of-one', protocols: [] }), [400, 'request-invalid']);
  const screen = await attach();
  write('hello', 0);
  await screen.shows('hello');
  assert.equal(screen.socket.protocol, 'envicutor.terminal.v1');
  const said = JSON.stringify(coordinator.logged);
  assert.ok(said.includes(id) && !said.includes('key-of-one'));
});

test('a ticket is good once, for its execution, from a page of any origin; then and later it is not, and no log has it', async (t) => {
  const { coordinator, attach, refused, ticket, write } = await stage(t, { terminalTicketTtlMs: 400 });
  assert.equal((await ticket('key-of-two')).status, 404);
  const { ticket: first, status } = await ticket();
  assert.equal(status, 201);
  write('hello', 0);
  const other = await postInteractive(coordinator.url, { run: { script: 'sh' } }, 'key-of-one');
  assert.deepEqual(await TerminalScreen.refused(coordinator.url, other, { ticket: first }), [401, 'unauthenticated']);
  const screen = await attach({ ticket: first, origin: 'https://contest.example' });
  await screen.shows('hello');
  assert.deepEqual(await refused({ ticket: first }), [401, 'unauthenticated']);
  assert.deepEqual(await refused({ ticket: `${first}x` }), [401, 'unauthenticated']);
  assert.deepEqual(await refused({ ticket: 'e30.e30' }), [401, 'unauthenticated']);
  const { ticket: late } = await ticket();
  await new Promise((resolve) => setTimeout(resolve, 450));
  assert.deepEqual(await refused({ ticket: late }), [401, 'unauthenticated']);
  const said = JSON.stringify(coordinator.logged);
  assert.ok(!said.includes(first) && !said.includes(late));
});

test('without keys a page of another origin is refused, ticket or not; one of our own and a program are let in', async (t) => {
  const { coordinator, attach, refused, ticket } = await stage(t, {}, false);
  assert.deepEqual(await refused({ origin: 'https://evil.example' }), [403, 'forbidden']);
  const { ticket: one } = await ticket();
  assert.deepEqual(await refused({ origin: 'https://evil.example', ticket: one }), [403, 'forbidden']);
  await attach({ origin: coordinator.url, ticket: one });
  await attach({});
});

test('what is not interactive, what is waited for and what brings its input have no terminal', async (t) => {
  const { coordinator, refused, attach, end, ticket } = await stage(t);
  const authorization = 'Bearer key-of-one';
  const ask = (path: string, body: object) => coordinator.ask('POST', path, body, { authorization });
  const environment = { base: 'debian-13' };
  const plain = await (await ask('/v1/executions', { environment, run: { script: 'true' } })).json();
  assert.deepEqual(await TerminalScreen.refused(coordinator.url, plain.id, { key: 'key-of-one' }), [409, 'conflict']);
  const none = await coordinator.ask('POST', `/v1/executions/${plain.id}/terminal-ticket`, undefined, {
    authorization,
  });
  assert.equal(none.status, 409);
  const waited = await ask('/v1/executions?wait=5', { environment, interactive: true, run: { script: 'sh' } });
  assert.deepEqual([waited.status, (await waited.json()).errors[0].pointer], [400, '?wait']);
  const fed = await ask('/v1/executions', { environment, interactive: true, run: { script: 'sh', stdin: 'x' } });
  assert.deepEqual([fed.status, (await fed.json()).errors[0].pointer], [400, '/run/stdin']);
  assert.deepEqual(await refused({ key: 'key-of-one', position: 1.5 }), [400, 'request-invalid']);
  const screen = await attach();
  end();
  assert.equal((await screen.exit()).verdict, 'ok');
  assert.equal((await ticket()).status, 409);
});

test('what is no message of the protocol ends the connection and nothing else, and so does a flood of messages', async (t) => {
  const { attach, agent, lease } = await stage(t);
  for (const said of [
    'no json',
    '{"type":"resize","rows":0,"columns":1}',
    '{"type":"signal","signal":"SEGV"}',
    '[]',
    '{"type":"end","x":1}',
  ]) {
    const screen = await attach();
    screen.socket.send(said);
    assert.deepEqual((await screen.closed).code, terminalCloseCodes.messageInvalid, said);
    assert.equal((await screen.until('error')).code, 'messageInvalid');
  }
  const large = await attach();
  large.type(Buffer.alloc(65_537));
  assert.equal((await large.closed).code, 1009);
  const hasty = await attach();
  for (let sent = 0; sent < 8000; sent += 1) hasty.ask({ type: 'resize', rows: 1, columns: 1 });
  assert.equal((await hasty.closed).code, terminalCloseCodes.tooFast);
  const screen = await attach();
  screen.ask({ type: 'signal', signal: 'INT' });
  const { command } = await agent.heard('lease.command', ({ command: { kind } }) => kind === 'signal');
  assert.deepEqual([command, lease], [{ kind: 'signal', signal: 'INT' }, lease]);
});

test('a client that sends more than its program reads is not read from, and what it sent goes on when the program reads', async (t) => {
  const { attach, agent, lease } = await stage(t);
  const screen = await attach();
  const whole = Buffer.alloc(3_000_000, 'abcdefg');
  for (let at = 0; at < whole.length; at += 50_000) screen.type(whole.subarray(at, at + 50_000));
  screen.ask({ type: 'end' });
  let taken = 0;
  const got: Buffer[] = [];
  while (taken < whole.length) {
    const { command } = await agent.heard(
      'lease.command',
      ({ command }) => command.kind === 'input' && command.position === taken,
    );
    assert.ok(command.kind === 'input');
    const bytes = Buffer.from(command.data, 'base64');
    const sent = inputs(agent).reduce((sum, { data }) => sum + Buffer.from(data, 'base64').length, 0);
    assert.ok(sent - taken <= 65_536, 'never more than a window');
    got.push(bytes);
    taken += bytes.length;
    agent.say({ type: 'lease.news', lease, news: { kind: 'taken', position: taken } });
  }
  assert.ok(Buffer.concat(got).equals(whole));
  await agent.heard('lease.command', ({ command }) => command.kind === 'input' && command.isLast);
});

test('nobody at the terminal: the execution is cancelled by that name, at once for who never came, later for who has gone', async (t) => {
  const { coordinator, id, agent, lease } = await stage(t, { terminalWaitMsMax: 200, terminalAwayMsMax: 300 }, false);
  const find = async (one: string) => (await coordinator.ask('GET', `/v1/executions/${one}`)).json();
  await agent.heard('lease.cancel', (message) => message.lease === lease);
  const { stage: at, failure } = await find(id);
  assert.deepEqual([at, failure.code], ['cancelled', 'terminal-unattended']);
  assert.match(failure.detail, /nobody attached to it for 200 ms/);
  const second = await postInteractive(coordinator.url, { run: { script: 'sh' } });
  const screen = await TerminalScreen.attach(coordinator.url, second);
  const offer = await agent.heard('lease.offer', (message) => message.lease !== lease);
  agent.say({ type: 'lease.stage', lease: offer.lease, stage: 'running' });
  agent.say({ type: 'lease.news', lease: offer.lease, news: { kind: 'started' } });
  await screen.until('started');
  await new Promise((resolve) => setTimeout(resolve, 400));
  screen.socket.terminate();
  await agent.heard('lease.cancel', (message) => message.lease === offer.lease);
  assert.match((await find(second)).failure.detail, /its client was away for 300 ms/);
});

test('an agent that does not know of terminals gets none to run; one that only says so by a label neither', async (t) => {
  const coordinator = await startCoordinator(t);
  const older = await coordinator.join({ labels: { 'envicutor/order.terminal': 'understood' } });
  const id = await postInteractive(coordinator.url, { run: { script: 'sh' } });
  const ask = async () => await (await coordinator.ask('GET', `/v1/executions/${id}/placement`)).json();
  // Its environment may not be there yet.
  let why = await ask();
  while (why.waiting === null) why = await ask();
  assert.deepEqual(
    why.waiting.agents.map(({ obstacles }: { obstacles: string[] }) => obstacles),
    [['release']],
  );
  const newer = await coordinator.join({ understands });
  const { order } = await newer.heard('lease.offer');
  assert.deepEqual(order.terminal, { rows: 24, columns: 80, inputBytesMax: 65_536, outputBytesMax: 262_144 });
  assert.ok(!older.said.some(({ type }) => type === 'lease.offer'));
});

test('half of the places is the most that one tenant has; who takes a terminal over needs none', async (t) => {
  const { coordinator, attach } = await stage(t, { terminalsMax: 2 });
  await attach();
  await attach();
  const second = await postInteractive(coordinator.url, { run: { script: 'sh' } }, 'key-of-one');
  assert.deepEqual(await TerminalScreen.refused(coordinator.url, second, { key: 'key-of-one' }), [429, 'queue-full']);
  const foreign = await postInteractive(coordinator.url, { run: { script: 'sh' } }, 'key-of-two');
  await TerminalScreen.attach(coordinator.url, foreign, { key: 'key-of-two' });
});
