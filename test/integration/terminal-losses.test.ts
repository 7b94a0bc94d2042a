/**
 * Owns what becomes of a terminal when something between its client and its program goes away: links that are cut and mended lose nothing, an agent or
 * a coordinator that is gone is told as that. Real processes and sockets; needs root, no registry.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setStage } from '../support/agent-stage.ts';
import { CuttableRelay } from '../support/cuttable-relay.ts';
import { postInteractive, TerminalScreen } from '../support/terminal-client.ts';

const limits = { wallTimeMs: 60_000, idleTimeMs: 60_000, outputBytes: 16 * 1024 * 1024 };
const quiet = { run: { script: 'stty -echo -opost; echo ready; exec cat', limits } };

async function stage(t: TestContext) {
  const { coordinator, startAgent } = await setStage(t);
  const relay = await CuttableRelay.open(Number(new URL(coordinator.url).port));
  t.after(() => relay.close());
  const find = async (id: string) => (await coordinator.ask('GET', `/v1/executions/${id}`)).json();
  return { coordinator, startAgent, relay, find };
}

test("an agent's link that is cut again and again, while both sides go on: no byte is lost or comes twice", async (t) => {
  const { coordinator, startAgent, relay } = await stage(t);
  const quick = { HEARTBEAT_MS: '150', REDIAL_MIN_MS: '10', REDIAL_MAX_MS: '50' };
  await startAgent({ COORDINATOR_URL: `ws://127.0.0.1:${relay.port}/agents`, ...quick });
  const screen = await TerminalScreen.attach(coordinator.url, await postInteractive(coordinator.url, quiet));
  await screen.shows('ready\n');
  let typed = '';
  const type = (count: number) => {
    for (let at = 0; at < count; at += 1) {
      const line = `line ${typed.length} ${'x'.repeat(200)}\n`;
      typed += line;
      screen.type(line);
    }
  };
  for (let cuts = 1; cuts <= 4; cuts += 1) {
    type(50);
    relay.cut();
    type(50);
    setTimeout(() => relay.mend(), 100 * cuts);
    await screen.has('ready\n'.length + typed.length);
    type(50);
    await screen.has('ready\n'.length + typed.length);
    assert.ok(screen.screen === `ready\n${typed}`);
  }
  screen.ask({ type: 'end' });
  assert.equal((await screen.exit()).verdict, 'ok');
});

test('an agent that is killed takes what ran in the terminal with it: the client is told, and it is not begun anew', async (t) => {
  const { coordinator, startAgent, find } = await stage(t);
  const agent = await startAgent();
  const id = await postInteractive(coordinator.url, quiet);
  const screen = await TerminalScreen.attach(coordinator.url, id);
  await screen.shows('ready\n');
  await agent.end('SIGKILL');
  const { stage: at, failure, verdict } = await screen.exit();
  assert.deepEqual([at, failure?.code, verdict], ['failed', 'terminal-lost', null]);
  assert.equal((await find(id)).attempts, 1);
});

test('a coordinator that stops says so to whoever is at a terminal; afterwards the execution is lost by name', async (t) => {
  const { coordinator, startAgent, find } = await stage(t);
  await startAgent();
  const id = await postInteractive(coordinator.url, quiet);
  const screen = await TerminalScreen.attach(coordinator.url, id);
  await screen.shows('ready\n');
  await coordinator.restart();
  assert.deepEqual(await screen.closed, { code: 4503, reason: 'moved' });
  const { stage: at, failure } = await find(id);
  assert.deepEqual([at, failure.code], ['failed', 'terminal-lost']);
  const again = await TerminalScreen.attach(coordinator.url, id);
  assert.equal((await again.exit()).failure?.code, 'terminal-lost');
});

test('a client whose cable is cut is taken over by its next connection, which goes on where it was', async (t) => {
  const { coordinator, startAgent, relay } = await stage(t);
  await startAgent();
  const id = await postInteractive(coordinator.url, quiet);
  const first = await TerminalScreen.attach(`http://127.0.0.1:${relay.port}`, id);
  await first.shows('ready\n');
  relay.cut();
  first.type('never arrives\n');
  const second = await TerminalScreen.attach(coordinator.url, id, { position: first.position });
  second.type('arrives\n');
  await second.shows('arrives\n');
  assert.equal(second.screen, 'arrives\n');
  second.ask({ type: 'end' });
  assert.equal((await second.exit()).verdict, 'ok');
});
