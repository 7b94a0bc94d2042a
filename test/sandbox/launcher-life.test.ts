/**
 * Owns the proof that a launcher, its clients and its programs live and die in the right order, and that bad input costs
 * only who sent it. Runs the real launcher; needs root.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { limitDefaults } from '../../shared/model/limits.ts';
import { connectLauncher } from '../../shared/sandbox/launcher-client.ts';
import { patience } from '../support/guest.ts';
import { launchSpec } from '../support/launch-spec.ts';
import { launcherBinary, RealLauncher } from '../support/real-launcher.ts';

let launcher: RealLauncher;
before(async () => {
  launcher = await RealLauncher.start('envicutor-life');
});
after(() => launcher.stop());

const shell = (script: string) => launchSpec(['/bin/sh', '-c', script], { layers: ['base'] });

async function running(): Promise<number> {
  return (await launcher.sandbox.gauges()).running;
}

async function closedAfter(bytes: Buffer): Promise<boolean> {
  const socket = createConnection(launcher.socketPath);
  socket.on('error', () => {});
  socket.resume();
  socket.write(bytes);
  await once(socket, 'close', { signal: AbortSignal.timeout(2000 * patience) });
  return true;
}

test('a frame that is not of the contract closes its connection and no other', async () => {
  assert.ok(await closedAfter(Buffer.alloc(4)));
  assert.ok(await closedAfter(Buffer.from([255, 255, 255, 255, 1])));
  assert.ok(await closedAfter(Buffer.from([5, 0, 0, 0, 1, 9, 0, 0, 0])));
  assert.ok(await closedAfter(Buffer.from([2, 0, 0, 0, 200, 0])));
  assert.equal((await launcher.sandbox.launch(shell('exit 3')).report).exitCode, 3);
});

test('a client that goes takes its running programs with it', async () => {
  const other = await connectLauncher({ socketPath: launcher.socketPath });
  const lost = assert.rejects(other.launch(shell('sleep 60')).report);
  for (let tries = 0; (await running()) !== 1 && tries < 100 * patience; tries++) await wait(10);
  assert.equal(await running(), 1);
  await other.close();
  await lost;
  for (let tries = 0; (await running()) !== 0 && tries < 100 * patience; tries++) await wait(10);
  assert.equal(await running(), 0);
});

test('a client that goes takes the layers with it that it began, and no others', async () => {
  const incoming = join(launcher.folder, 'store', 'incoming');
  const other = await connectLauncher({ socketPath: launcher.socketPath });
  await launcher.sandbox.store.create('mine-unfinished');
  for (const name of ['half', 'done', 'dropped']) await other.store.create(`theirs-${name}`);
  await other.store.commit('theirs-done', 'finished');
  await other.store.remove('theirs-dropped');
  // Its connection goes while it is written to.
  const loop = 'i=0; while :; do i=$((i + 1)); mkdir -p /target/$i/below; [ $i -ne 20 ] || echo; done';
  const spec = launchSpec(['/bin/sh', '-c', loop], {
    target: 'theirs-half',
    directory: '/',
    limits: limitDefaults.build,
  });
  const written = Promise.withResolvers<void>();
  const lost = assert.rejects(other.launch({ ...spec, profile: 'host' }, { stdout: () => written.resolve() }).report);
  await written.promise;
  assert.deepEqual(readdirSync(incoming).sort(), ['mine-unfinished', 'theirs-half']);
  await other.close();
  await lost;
  const left = () => readdirSync(incoming).length + readdirSync(join(launcher.folder, 'store', 'trash')).length;
  for (let tries = 0; left() !== 1 && tries < 500 * patience; tries++) await wait(10);
  assert.equal(left(), 1);
  assert.deepEqual(readdirSync(incoming), ['mine-unfinished']);
  assert.ok((await launcher.sandbox.store.list()).includes('finished'));
  for (const name of ['mine-unfinished', 'finished']) await launcher.sandbox.store.remove(name);
});

test('what a compile kept is a layer of a hundred later runs until it is released', async () => {
  const compile = launcher.sandbox.launch({
    ...shell('echo built > program; rm /usr/bin/wc 2>/dev/null; id -u > user'),
    isKept: true,
  });
  assert.equal((await compile.report).exitCode, 0);
  const run = { ...shell('[ "$(cat program user)" = "built\n1000" ] && echo more >> program'), kept: [compile.kept] };
  for (let round = 0; round < 20; round++) {
    const reports = await Promise.all(Array.from({ length: 5 }, () => launcher.sandbox.launch(run).report));
    assert.deepEqual(
      reports.map((report) => report.exitCode),
      [0, 0, 0, 0, 0],
    );
  }
  launcher.sandbox.release(compile.kept);
  assert.equal((await launcher.sandbox.gauges()).kept, 0);
});

test('a kill at the moment of the exit is one report, of either, and never a limit', async () => {
  const ends = new Set<string>();
  for (let round = 0; round < 60; round++) {
    const launch = launcher.sandbox.launch(shell('exit 5'));
    const killed = wait((round % 30) / 4).then(() => launch.kill());
    const { end, exitCode, exceeded, failure } = await launch.report;
    await killed;
    ends.add(end);
    assert.deepEqual([exceeded, failure], [null, null]);
    assert.ok(end === 'client' || (end === 'exited' && exitCode === 5), `${end} ${exitCode}`);
  }
  assert.ok(ends.has('client'), 'the earliest kill comes before every exit');
  assert.equal(await running(), 0);
});

test('a value out of range is refused before anything starts', async () => {
  for (const change of [
    { directory: 'relative' },
    { argv: [] },
    { layers: [] },
    { cpuShares: 0 },
    { layers: ['../base'] },
  ]) {
    const report = await launcher.sandbox.launch({ ...shell('true'), ...change }).report;
    assert.deepEqual([report.end, report.failure?.step], ['setup-failed', 'decode'], JSON.stringify(change));
  }
});

test('an exec that is refused is told with its errno, apart from exit 127', async () => {
  for (const [path, errno] of [
    ['/nope', 'ENOENT'],
    ['/etc/passwd', 'EACCES'],
  ]) {
    const report = await launcher.sandbox.launch(launchSpec([String(path)], { layers: ['base'] })).report;
    assert.deepEqual([report.end, report.failure?.step, report.failure?.errno], ['start-failed', 'exec', errno]);
  }
  assert.deepEqual((await launcher.sandbox.launch(shell('exit 127')).report).end, 'exited');
});

test('the stock fills up to what is wanted, and what is removed is counted until it is gone', async () => {
  const { sandbox } = launcher;
  await sandbox.store.create('swept-new');
  const fill = ['/bin/sh', '-c', 'i=0; while [ $i -lt 5000 ]; do : > /target/$i; i=$((i+1)); done'];
  const spec = launchSpec(fill, { target: 'swept-new', directory: '/', limits: limitDefaults.build });
  assert.equal((await sandbox.launch({ ...spec, profile: 'host' }).report).exitCode, 0);
  const [, during] = await Promise.all([sandbox.store.remove('swept-new'), sandbox.gauges()]);
  assert.ok(during.sweeping >= 1, JSON.stringify(during));
  let now = during;
  for (let tries = 0; (now.sweeping > 0 || now.stock < now.stockWanted) && tries < 500 * patience; tries++) {
    await wait(10);
    now = await sandbox.gauges();
  }
  assert.deepEqual([now.sweeping, now.stock >= now.stockWanted, now.stockWanted > 0], [0, true, true]);
});

test('a killed launcher leaves no program, and its successor no cgroup', async () => {
  const before = await launcher.sandbox.launch(shell('true')).report;
  assert.equal(before.exitCode, 0);
  const lost = assert.rejects(launcher.sandbox.launch(shell('sleep 4711')).report);
  for (let tries = 0; (await running()) !== 1 && tries < 100 * patience; tries++) await wait(10);
  await launcher.restart();
  await lost;
  const parent = `/sys/fs/cgroup/memory/envicutor-envicutor-life-${process.pid}`;
  if (existsSync(parent)) assert.ok(readdirSync(parent).filter((name) => /^s\d/.test(name)).length <= 6);
  assert.equal((await launcher.sandbox.launch(shell('exit 4')).report).exitCode, 4);
});

test("a start that is refused half-way leaves no cgroup and takes away nobody else's socket", () => {
  const cgroup = `refused-${process.pid}`;
  const store = join(launcher.socketPath, 'store'); // below a file: it can't be made
  const words = ['--socket', launcher.socketPath, '--store', store, '--cgroup', cgroup];
  const refused = spawnSync(launcherBinary, words, { encoding: 'utf8' });
  assert.deepEqual([refused.status, refused.signal], [78, null], refused.stderr);
  assert.match(refused.stderr, /the layer store can't be opened\. Remedy: /);
  const groups = readdirSync('/sys/fs/cgroup', { recursive: false })
    .map((tree) => `/sys/fs/cgroup/${tree}/envicutor-${cgroup}`)
    .filter((path) => existsSync(path));
  assert.deepEqual(groups, []);
  assert.ok(existsSync(launcher.socketPath));
});
