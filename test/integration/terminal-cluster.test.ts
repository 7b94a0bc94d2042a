/**
 * Owns terminals where several coordinators share a PostgreSQL: a client attaches at any of them, and the program may run at another one's agent. Real
 * processes, a real database; needs root, no registry.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { DirectoryObjectStore } from '../../shared/storage/directory-object-store.ts';
import { storeBase } from '../support/base-builds.ts';
import { Coordinators } from '../support/coordinators.ts';
import { JoinedAgent } from '../support/joined-agent.ts';
import { TerminalScreen } from '../support/terminal-client.ts';

const limits = { wallTimeMs: 60_000, idleTimeMs: 60_000, outputBytes: 16 * 1024 * 1024 };
const quiet = {
  environment: { base: 'debian-13' },
  interactive: true,
  run: { script: 'stty -echo -opost; echo ready; exec cat', limits },
};

/** Two coordinators, of which `owner` answers for tenant one; one agent, at whichever a test says. */
async function stage(t: TestContext, at: 'owner' | 'other') {
  const coordinators = await Coordinators.prepare(t, { tenants: ['one', 'two'] });
  coordinators.services.script = await storeBase(new DirectoryObjectStore(join(coordinators.folder, 'store')));
  await coordinators.start();
  await coordinators.start();
  const { owner, other } = await coordinators.split('one');
  const home = at === 'owner' ? owner : other;
  const agent = await JoinedAgent.prepare(coordinators, home, 'terminal', {
    COORDINATOR_URL: `${home.url.replace('http', 'ws')}/agents`,
    SLOTS: '2',
  });
  await agent.start();
  const post = async () => {
    const { status, body } = await coordinators.as('one', other).post<{ id: string }>('/v1/executions', quiet);
    assert.equal(status, 202, JSON.stringify(body));
    return body.id;
  };
  return { coordinators, owner, other, agent, post };
}

async function typeMuch(screen: TerminalScreen): Promise<void> {
  await screen.shows('ready\n');
  const lines = Array.from({ length: 3000 }, (_, index) => `${index} ${'x'.repeat(200)}\n`);
  for (let at = 0; at < lines.length; at += 100) screen.type(lines.slice(at, at + 100).join(''));
  const expected = `ready\n${lines.join('')}`;
  await screen.has(expected.length);
  assert.ok(screen.screen === expected);
}

test('a client attaches wherever it asks, by key or by ticket; a foreign key is told nothing there either', async (t) => {
  const { coordinators, owner, other, post } = await stage(t, 'owner');
  const id = await post();
  const key = coordinators.keyOf('one');
  const far = await TerminalScreen.attach(other.url, id, { key });
  await typeMuch(far);
  assert.deepEqual(await TerminalScreen.refused(other.url, id, { key: coordinators.keyOf('two') }), [
    ...[404, 'execution-not-found'],
  ]);
  const ticketOf = async (asked: typeof owner) => {
    const { body } = await coordinators
      .as('one', asked)
      .post<{ ticket: string }>(`/v1/executions/${id}/terminal-ticket`, {});
    return body.ticket;
  };
  const ticket = await ticketOf(other);
  const near = await TerminalScreen.attach(other.url, id, { ticket, position: far.position });
  assert.deepEqual(await far.closed, { code: 4409, reason: 'takenOver' });
  assert.deepEqual(await TerminalScreen.refused(owner.url, id, { ticket }), [401, 'unauthenticated']);
  const direct = await TerminalScreen.attach(owner.url, id, { ticket: await ticketOf(owner), position: near.position });
  direct.ask({ type: 'end' });
  assert.equal((await direct.exit()).verdict, 'ok');
});

test("a program at another coordinator's agent: keys, size, signals and output travel there and back", async (t) => {
  const { coordinators, owner, other, post } = await stage(t, 'other');
  const id = await post();
  const key = coordinators.keyOf('one');
  const screen = await TerminalScreen.attach(owner.url, id, { key });
  await typeMuch(screen);
  screen.ask({ type: 'resize', rows: 33, columns: 44 });
  screen.ask({ type: 'signal', signal: 'INT' });
  const { signal } = await screen.exit();
  assert.equal(signal, 'SIGINT');
  assert.notEqual(owner.url, other.url);
});

test('a coordinator that is replaced says so; the next one knows that what ran in the terminal is lost', async (t) => {
  const { coordinators, owner, other, post } = await stage(t, 'owner');
  const id = await post();
  const key = coordinators.keyOf('one');
  const screen = await TerminalScreen.attach(other.url, id, { key });
  await screen.shows('ready\n');
  await owner.end('SIGKILL');
  const { code } = await screen.closed;
  assert.ok(code === 1006 || code === 4503, String(code));
  for (;;) {
    const { status, body } = await coordinators
      .as('one', other)
      .get<{ failure: { code: string } | null }>(`/v1/executions/${id}`);
    if (status === 200 && body.failure !== null) {
      assert.equal(body.failure.code, 'terminal-lost');
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
});

test('a coordinator that only passed on is stopped: its client goes on at another one, where it was', async (t) => {
  const { coordinators, owner, other, post } = await stage(t, 'owner');
  const id = await post();
  const key = coordinators.keyOf('one');
  const far = await TerminalScreen.attach(other.url, id, { key });
  await far.shows('ready\n');
  const ended = other.end('SIGTERM');
  await far.closed;
  assert.equal(await ended, 0);
  const near = await TerminalScreen.attach(owner.url, id, { key, position: far.position });
  near.type('goes on\n');
  await near.shows('goes on\n');
  assert.equal(near.screen, 'goes on\n');
  near.ask({ type: 'end' });
  assert.equal((await near.exit()).verdict, 'ok');
});
