/**
 * Owns the proof that coordinators and agents live inside another program: several in one process, from one object of settings each, running
 * real programs; that one ends while others go on; and that nothing of them is left at the end. Needs root, no registry.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { createAgent, SystemError } from '../../agent/embedded-agent.ts';
import { createCoordinator } from '../../coordinator/embedded-coordinator.ts';
import { openSqliteStateStore } from '../../coordinator/executions/sqlite-state-store.ts';
import { DirectoryObjectStore } from '../../shared/storage/directory-object-store.ts';
import { storeBase } from '../support/base-builds.ts';
import { checkedFetch } from '../support/checked-fetch.ts';
import { coordinatorIn, HeardLog, joinAgent, runOn } from '../support/embedded-fleet.ts';
import { startBuildServices } from '../support/fake-build-services.ts';
import { assertNothingLeft, CountedClock, takeInventory } from '../support/inventory.ts';
import { RealLauncher } from '../support/real-launcher.ts';

// Its first use makes what all later ones go through; from then on nothing may change it.
await fetch('data:,');

/** A folder with the sockets of a builder and a verifier, which end with the test. */
async function setStage(context: TestContext): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'envicutor-embedded-'));
  const store = new DirectoryObjectStore(join(folder, 'store'));
  const services = await startBuildServices(folder, store);
  services.script = await storeBase(store);
  context.after(async () => {
    for (const server of [services.builder, services.verifier]) {
      server.closeAllConnections();
      await server[Symbol.asyncDispose]();
    }
    await services.settled();
    rmSync(folder, { recursive: true });
  });
  return folder;
}

async function problemsOf(making: Promise<unknown>): Promise<{ code: string; problems: string[] }> {
  const error = await making.then(() => null).catch((thrown: unknown) => thrown);
  assert.ok(error instanceof SystemError, String(error));
  return { code: error.code, problems: error.errors.map(({ pointer, detail }) => `${pointer} ${detail}`) };
}

const ask = async (url: string, path: string, init: RequestInit = {}) => {
  const answer = await checkedFetch(url + path, { ...init, headers: { connection: 'close', ...init.headers } });
  const body: ReturnType<typeof JSON.parse> = await answer.json();
  return { status: answer.status, body };
};

test('a coordinator and three agents in one process run programs, one stops and the others go on, and nothing is left', async (t) => {
  const folder = await setStage(t);
  const before = takeInventory();
  const clock = new CountedClock();
  const enrolmentTokenFile = join(folder, 'token');
  const coordinator = await coordinatorIn(folder, { clock, enrolmentTokenFile });
  const { url, agentsUrl } = await coordinator.start();
  assert.equal((await coordinator.start()).url, url, 'starting is idempotent');
  const agents = [];
  // One after the other: each takes the token that is in the file, and the coordinator writes the next one.
  for (const seat of [1, 2, 3]) agents.push(await joinAgent(folder, seat, agentsUrl, { clock, enrolmentTokenFile }));
  const [first, second, third] = agents;
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  assert.deepEqual(
    agents.map(({ connection }) => connection),
    ['ready', 'ready', 'ready'],
  );

  const results = await Promise.all([1, 2, 3].map((seat) => runOn(url, seat, `echo "seat ${seat}, base $BASE"`)));
  assert.deepEqual(
    results.map(({ verdict, run }) => [verdict, run?.stdout]),
    [
      ['ok', 'seat 1, base ours\n'],
      ['ok', 'seat 2, base ours\n'],
      ['ok', 'seat 3, base ours\n'],
    ],
  );
  assert.equal(new Set(results.map(({ agent }) => agent?.id)).size, 3, 'each on an agent of its own');

  const long = runOn(url, 1, 'sleep 0.5; echo still here');
  await Promise.all([second.stop(), second.stop()]);
  assert.equal(takeInventory().children.length, before.children.length + 2, 'its launcher is gone, the others are not');
  assert.equal(second.connection, 'disconnected');
  assert.throws(() => second.start(), /was stopped; create another one/);
  assert.equal((await long).run?.stdout, 'still here\n');
  assert.equal((await runOn(url, 3, 'echo so am I')).run?.stdout, 'so am I\n');

  const last = runOn(url, 1, 'sleep 0.2; echo drained');
  await first.log.heard('lease running', {}, 3);
  assert.equal(await first.drain(), true);
  assert.equal((await last).run?.stdout, 'drained\n');
  // Ending by force: what runs has no result.
  const lost = runOn(url, 3, 'sleep 60').catch((error: unknown) => error);
  await third.log.heard('lease running', {}, 3);
  await Promise.all([first.stop(), third.stop()]);
  await Promise.all([coordinator.stop(), coordinator.stop()]);
  await lost;
  assert.equal(clock.pending, 0, 'timers are left');
  await assertNothingLeft(before);
});

test('a program that embeds a coordinator and three agents ends by itself once they are stopped, with nothing changed', async (t) => {
  const folder = await setStage(t);
  const program = join(import.meta.dirname, '../support/embedding-services.ts');
  const child = spawn(process.execPath, [program, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  const kill = setTimeout(() => child.kill('SIGKILL'), 40_000);
  const [said, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  clearTimeout(kill);
  assert.equal(code, 0, said);
  const { outputs, isFetchSame, before, after } = JSON.parse(said);
  assert.deepEqual(outputs, ['1\n', '2\n', '3\n']);
  assert.ok(isFetchSame, "the program's own fetch goes elsewhere");
  for (const what of ['listeners', 'umask', 'directory', 'globals', 'children', 'cgroups'])
    assert.deepEqual(after[what], before[what], what);
});

test('two coordinators in one process have nothing in common, and one starts again while the other serves', async (t) => {
  const folders = [await setStage(t), await setStage(t)] as const;
  const before = takeInventory();
  const one = await coordinatorIn(folders[0]);
  const other = await coordinatorIn(folders[1]);
  const [{ url }, { url: otherUrl }] = await Promise.all([one.start(), other.start()]);
  assert.notEqual(url, otherUrl);
  const submitted = await ask(url, '/v1/executions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ environment: { base: 'debian-13' }, run: { script: 'true' } }),
  });
  assert.equal(submitted.status, 202);
  const at = `/v1/executions/${submitted.body.id}`;
  assert.equal((await ask(otherUrl, at)).status, 404);
  assert.deepEqual((await ask(otherUrl, '/v1/executions')).body.items, []);
  await one.stop();
  assert.equal((await ask(otherUrl, '/healthz')).status, 200);
  const again = await coordinatorIn(folders[0]);
  const { url: nextUrl } = await again.start();
  assert.equal((await ask(nextUrl, at)).status, 200, 'what was accepted is there again');
  await Promise.all([again.stop(), other.stop()]);
  await assertNothingLeft(before);
});

test('all that is wrong with settings is told at once, in one error, and nothing is left open', async () => {
  const before = takeInventory();
  const wrong = { slots: -1, coordinatorUrl: 'http://there', stateDirectroy: '/x', sandbox: {}, ownLauncher: {} };
  const agent = await problemsOf(createAgent(wrong as never));
  assert.equal(agent.code, 'configuration-invalid');
  assert.deepEqual(
    agent.problems.map((problem) => problem.split(':')[0]).sort(),
    [
      "/coordinatorUrl coordinatorUrl='http",
      '/ownLauncher ownLauncher and sandbox exclude each other',
      '/slots slots=-1',
      '/stateDirectroy stateDirectroy',
    ]
      .sort()
      .map((text) => text.replace('/ownLauncher ownLauncher', '/sandbox ownLauncher')),
  );
  assert.match(agent.problems.join(), /slots=-1: Expected integer to be greater or equal to 0. Executions at a time/);
  const fields = await problemsOf(createCoordinator({ listenPort: 70_000, minioSecretKey: 5 } as never));
  assert.equal(fields.code, 'configuration-invalid');
  assert.match(
    fields.problems.join('\n'),
    /^\/listenPort listenPort=70000: .*\n\/minioSecretKey minioSecretKey=\(secret\): /,
  );
  const tenantsFile = '/nowhere/tenants.json';
  const whole = await problemsOf(
    createCoordinator({ storeKind: 'minio', egressPolicyFile: '/nowhere/policy', tenantsFile }),
  );
  assert.match(
    whole.problems.join('\n'),
    /minioEndpoint is needed[\s\S]*\/egressPolicyFile[\s\S]*\/tenantsFile .*\/nowhere\/tenants\.json/,
  );
  await assertNothingLeft(before);
});

test('a machine that can not work is one error with every problem and its remedy, and the launcher of its own is gone', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'envicutor-embedded-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'file'), '');
  const before = takeInventory();
  const stateDirectory = join(folder, 'state');
  const rest = { diskFreeBytesMin: 2 ** 52, slots: 1, slotCpus: '0;0' };
  const machine = await problemsOf(createAgent({ stateDirectory, ownLauncher: {}, ...rest }));
  assert.equal(machine.code, 'requirement-missing');
  assert.match(machine.problems.join('\n'), /lower diskFreeBytesMin[\s\S]*slotCpus/i);
  writeFileSync(join(stateDirectory, 'trust.json'), 'damaged');
  const ground = { stateDirectory, ownLauncher: {}, diskFreeBytesMin: 1 };
  assert.equal((await problemsOf(createAgent(ground))).code, 'trust-refused');
  const away = {
    stateDirectory: join(folder, 'file/state'),
    launcherSocketPath: join(folder, 'none'),
    launcherWaitMs: 60,
  };
  assert.match(
    (await problemsOf(createAgent(away))).problems.join('\n'),
    /ENOTDIR[\s\S]*launcher at .*none can't be used/,
  );
  await assertNothingLeft(before);
});

test('a program that does nothing else lives for as long as an agent waits for its launcher', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'envicutor-embedded-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const settings = { stateDirectory: folder, launcherSocketPath: join(folder, 'none'), launcherWaitMs: 300 };
  const module = join(import.meta.dirname, '../../agent/embedded-agent.ts');
  const program = `import { createAgent } from '${module}';
    await createAgent(${JSON.stringify(settings)}).catch(({ code }) => process.stdout.write(code));`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 20_000,
  });
  const [said, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  assert.deepEqual([code, said], [0, 'requirement-missing']);
});

test('a port that is taken is an error, and what was opened is closed; what was given stays open', async (t) => {
  const folder = await setStage(t);
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  mkdirSync(join(folder, 'coordinator'));
  const state = openSqliteStateStore(join(folder, 'coordinator', 'given.sqlite'));
  const before = takeInventory();
  const { port } = taken.address() as { port: number };
  const clock = new CountedClock();
  const coordinator = await coordinatorIn(folder, { listenPort: port, clock });
  await assert.rejects(coordinator.start(), (error: SystemError) => {
    return error.code === 'requirement-missing' && error.message.includes(`127.0.0.1:${port} is taken`);
  });
  assert.equal(clock.pending, 0);
  await assertNothingLeft(before);
  await coordinator.stop();
  const given = await coordinatorIn(folder, { state });
  await given.start();
  await given.stop();
  await state.check();
  await assertNothingLeft(before);
  await state.close();
  taken.close();
});

test("somebody else's sandbox is used and left open", async (t) => {
  const launcher = await RealLauncher.start('borrowed');
  const folder = mkdtempSync(join(tmpdir(), 'envicutor-embedded-'));
  t.after(async () => {
    await launcher.stop();
    rmSync(folder, { recursive: true });
  });
  const { sandbox } = launcher;
  const options = { stateDirectory: folder, coordinatorUrl: 'ws://127.0.0.1:1/agents', diskFreeBytesMin: 1, sandbox };
  const clock = new CountedClock();
  {
    await using agent = await createAgent({ ...options, clock });
    agent.start();
  }
  assert.equal(clock.pending, 0);
  assert.equal((await sandbox.gauges()).running, 0);
  const { problems } = await problemsOf(createAgent({ ...options, diskFreeBytesMin: 2 ** 52 }));
  assert.equal(problems.length, 1);
  assert.equal((await sandbox.gauges()).running, 0);
});

test('who does not answer the end of a connection keeps neither side for longer than a second', async (t) => {
  const folder = await setStage(t);
  const coordinator = await coordinatorIn(folder);
  const { agentsUrl } = await coordinator.start();
  const stranger = new WebSocket(agentsUrl);
  await once(stranger, 'open');
  stranger.pause();
  const began = performance.now();
  await coordinator.stop();
  assert.ok(performance.now() - began < 5000, 'the coordinator waits for an agent that is silent');
  stranger.terminate();

  const silent = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(silent, 'listening');
  const { port } = silent.address() as { port: number };
  const log = new HeardLog();
  const agent = await createAgent({
    ...{ stateDirectory: join(folder, 'agent'), ownLauncher: { stock: 1 }, diskFreeBytesMin: 1, slots: 1 },
    ...{ coordinatorUrl: `ws://127.0.0.1:${port}`, heartbeatMs: 60_000, logger: log, logLevel: 'debug' },
  });
  agent.start();
  const [socket] = (await once(silent, 'connection')) as [WebSocket];
  await log.heard('connection moved', { to: 'handshaking' });
  socket.pause();
  const then = performance.now();
  await agent.stop();
  assert.ok(performance.now() - then < 5000, 'the agent waits for a coordinator that is silent');
  socket.terminate();
  silent.close();
});
