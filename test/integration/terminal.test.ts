/**
 * Owns terminals from end to end: a real coordinator, a real agent process, a real launcher, and clients that type over real WebSockets.
 * Needs root, no registry.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { CoordinatorConfig } from '../../coordinator/config.ts';
import { terminalCloseCodes } from '../../shared/model/terminal.ts';
import { setStage } from '../support/agent-stage.ts';
import { CuttableRelay } from '../support/cuttable-relay.ts';
import { postInteractive, TerminalScreen } from '../support/terminal-client.ts';

const limits = { wallTimeMs: 60_000, idleTimeMs: 60_000, outputBytes: 16 * 1024 * 1024 };
const shell = { run: { script: 'exec sh -i', limits, variables: { PS1: '> ' } } };

async function stage(t: TestContext, changes: Partial<CoordinatorConfig> = {}) {
  const { coordinator, startAgent, launcher } = await setStage(t, null, changes);
  const agent = await startAgent();
  const post = (request: object = shell) => postInteractive(coordinator.url, request);
  const attach = (id: string, options = {}) => TerminalScreen.attach(coordinator.url, id, options);
  const find = async (id: string) => (await coordinator.ask('GET', `/v1/executions/${id}`)).json();
  return { coordinator, startAgent, launcher, agent, post, attach, find };
}

test('a session: a shell echoes, hears of its size, is interrupted, and ends with its input; the execution has all of it', async (t) => {
  const { post, attach, find, coordinator } = await stage(t);
  const id = await post({ ...shell, compile: { script: 'echo made > made' } });
  const screen = await attach(id);
  screen.ask({ type: 'resize', rows: 31, columns: 99 });
  await screen.until('started');
  await screen.shows('> ');
  screen.type('cat made; stty size\n');
  await screen.shows('> ', await screen.shows('made\r\n31 99\r\n'));
  screen.ask({ type: 'resize', rows: 50, columns: 132 });
  screen.type('stty size; tty\n');
  // What is typed before the prompt is echoed before it, too.
  const sized = await screen.shows('> ', await screen.shows('50 132\r\n/dev/pts/0\r\n'));
  // Said by what is to be interrupted: before that the shell itself might be.
  screen.type("sh -c 'echo asleep; exec sleep 50'\n");
  const slept = await screen.shows('\nasleep\r\n', sized);
  screen.type('\x03');
  await screen.shows('> ', await screen.shows('^C', slept));
  screen.type('echo code $?\n');
  const prompted = await screen.shows('> ', await screen.shows('code 130\r\n'));
  screen.type('cat\n');
  await screen.shows('cat\r\n', prompted);
  screen.type('hello\n\x04');
  await screen.shows('hello\r\nhello\r\n');
  screen.ask({ type: 'end' });
  assert.deepEqual(await screen.exit(), {
    ...{ stage: 'finished', verdict: 'ok', endedIn: 'run', failure: null, exitCode: 0, signal: null },
  });
  assert.equal((await find(id)).run.stdout, screen.screen);
  const events = await (await coordinator.ask('GET', `/v1/executions/${id}/events`)).text();
  assert.match(events, /event: stdout\n/);
  assert.deepEqual(
    screen.told.map(({ type }) => type).filter((type) => type !== 'stage'),
    ['attached', 'started', 'exit'],
  );
});

test('a full-screen program draws in raw mode, and what signals say reaches whoever is in the foreground', async (t) => {
  const { post, attach } = await stage(t);
  const redraw =
    'stty raw -echo; printf "\\033[?1049h\\033[2J"; trap \'printf "\\033[1;1H%s" "$(stty size)"\' WINCH; trap "exit 7" TERM; printf ready; while :; do sleep 0.05; done';
  const screen = await attach(await post({ run: { script: redraw, limits } }));
  await screen.shows('\x1b[?1049h\x1b[2Jready');
  for (const [rows, columns] of [
    [10, 20],
    [11, 21],
    [12, 22],
  ] as const) {
    screen.ask({ type: 'resize', rows, columns });
    await screen.shows(`\x1b[1;1H${rows} ${columns}`);
  }
  screen.type(Buffer.from(Array.from({ length: 256 }, (_, index) => index)));
  screen.ask({ type: 'signal', signal: 'TERM' });
  const { verdict, exitCode } = await screen.exit();
  assert.deepEqual([verdict, exitCode], ['nonzero-exit', 7]);
});

test('ten megabytes reach a slow reader whole; meanwhile the program is held back, and its neighbours are not', async (t) => {
  const { post, attach, coordinator } = await stage(t);
  const bytes = 10_000_000;
  const script = `stty -opost -echo; echo ready; read go; yes | head -c ${bytes}; echo over`;
  const screen = await attach(await post({ run: { script, limits } }));
  await screen.shows('ready\n');
  screen.socket.pause();
  screen.type('\n');
  const neighbour = await coordinator.ask('POST', '/v1/executions?wait=20', {
    ...{ environment: { base: 'debian-13' }, run: { script: 'head -c 300000 /dev/zero; echo neighbour' } },
  });
  const { verdict, run } = await neighbour.json();
  assert.deepEqual([verdict, run.stdout.length], ['ok', 300_010]);
  const agent = await (await coordinator.ask('GET', '/v1/executions')).json();
  assert.equal(agent.items.filter(({ stage }: { stage: string }) => stage === 'running').length, 1, 'it is held back');
  screen.socket.resume();
  assert.equal((await screen.exit()).verdict, 'ok');
  assert.ok(screen.screen === `ready\n${'y\n'.repeat(bytes / 2)}over\n`);
});

test('a client that is cut off comes back to where it was and misses nothing; one without a position sees what is remembered', async (t) => {
  const { post, attach } = await stage(t);
  const script = 'stty -opost -echo; seq 1 300000; cat';
  const id = await post({ run: { script, limits } });
  let seen = '';
  let position = 0;
  for (let cuts = 0; cuts < 6; cuts += 1) {
    const screen = await attach(id, { position });
    assert.equal((await screen.until('attached')).position, position);
    await screen.has(3000);
    screen.socket.terminate();
    await screen.closed;
    seen += screen.screen;
    position = screen.position;
  }
  const last = await attach(id, { position });
  await last.shows('300000\n');
  seen += last.screen;
  const expected = Array.from({ length: 300_000 }, (_, index) => `${index + 1}\n`).join('');
  assert.equal(seen.length, expected.length);
  assert.ok(seen === expected);
  const other = await attach(id);
  await other.shows('300000\n');
  const { missedBytes, position: from } = await other.until('attached');
  assert.equal(missedBytes, from);
  assert.ok(expected.slice(from) === other.screen);
  assert.deepEqual(await last.closed, { code: 4409, reason: 'takenOver' });
  other.type('typed\n\x04');
  assert.equal((await other.exit()).verdict, 'ok');
  const late = await attach(id, { position: other.position });
  assert.equal((await late.exit()).verdict, 'ok');
  assert.equal(late.screen, '');
});

test('a flood of input is held back at its client, and arrives whole', async (t) => {
  const { post, attach } = await stage(t);
  const script = 'stty raw -echo; echo ready; sleep 0.3; head -c 3000000 | sha256sum';
  const screen = await attach(await post({ run: { script, limits } }));
  await screen.shows('ready');
  const piece = Buffer.alloc(60_000, 'x');
  for (let sent = 0; sent < 50; sent += 1) screen.type(piece);
  const { verdict } = await screen.exit();
  const digest = createHash('sha256').update(Buffer.alloc(3_000_000, 'x')).digest('hex');
  assert.deepEqual([verdict, screen.screen.includes(digest)], ['ok', true]);
});

test('the client of docs/terminal.md runs as it stands there: it types, comes back when its connection breaks, and ends with the program', async (t) => {
  const { coordinator } = await stage(t);
  const page = await readFile(new URL('../../docs/terminal.md', import.meta.url), 'utf8');
  const [, example = ''] = /```js\n(.*?)```/s.exec(page) ?? [];
  const folder = await mkdtemp(join(tmpdir(), 'envicutor-terminal-'));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'attach.mjs'), example);
  const relay = await CuttableRelay.open(Number(new URL(coordinator.url).port));
  t.after(() => relay.close());
  const script = 'stty -echo -opost; echo ready; while read line; do echo "<$line>"; done; echo bye';
  const client = spawn(process.execPath, [join(folder, 'attach.mjs'), `http://127.0.0.1:${relay.port}`, script]);
  t.after(() => client.kill('SIGKILL'));
  let said = '';
  client.stdout.on('data', (data) => {
    said += String(data);
  });
  let heard = '';
  client.stderr.on('data', (data) => {
    heard += String(data);
  });
  const shows = async (text: string) => {
    while (!said.includes(text)) await once(client.stdout, 'data');
  };
  await shows('ready\n');
  client.stdin.write('one\n');
  await shows('<one>\n');
  relay.mend(); // breaks what is open
  while (heard.split('"attached"').length < 3) await once(client.stderr, 'data');
  client.stdin.write('two\n');
  await shows('<two>\n');
  client.stdin.end('three\n');
  await once(client, 'close');
  assert.equal(said, 'ready\n<one>\n<two>\n<three>\nbye\n');
});

test('every close code has its row in docs/terminal.md, under its name', async () => {
  const page = await readFile(new URL('../../docs/terminal.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| (\d{4}) \| `(\w+)` \|/gm)].map(([, code, name]) => [name, Number(code)]);
  assert.deepEqual(Object.fromEntries(rows), { ...terminalCloseCodes });
});
