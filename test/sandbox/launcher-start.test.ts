/**
 * Owns the proof that a launcher which can't enforce a limit does not start: exit 78, one sentence, its remedy, nothing left behind.
 * Starts the real launcher in mount namespaces of its own, in which something is missing; needs root.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { launcherBinary, RealLauncher } from '../support/real-launcher.ts';

const folder = mkdtempSync(join(tmpdir(), 'envicutor-start-'));
after(() => rmSync(folder, { recursive: true, force: true }));

let neighbour: RealLauncher;
before(async () => {
  neighbour = await RealLauncher.start('envicutor-start');
});
after(() => neighbour.stop());

interface Ended {
  readonly status: number | null;
  readonly said: string;
}

/** Starts it after `changes` to its own view of the machine; a launcher that does start is stopped after three seconds. */
function start(changes: string, cgroup = `envicutor-start-refused-${process.pid}`): Ended {
  const place = ['--socket', join(folder, 'launcher.sock'), '--store', join(folder, 'store')];
  const command = [launcherBinary, ...place, '--client-uid', '0', '--cgroup', cgroup, '--stock', '1'];
  const script = `${changes}\nexec timeout 3 "$@"`;
  const words = ['--mount', '--propagation', 'private', '/bin/sh', '-c', script, 'sh', ...command];
  const { status, stderr } = spawnSync('unshare', words, { encoding: 'utf8', timeout: 20_000 });
  return { status, said: stderr };
}

const leftBehind = (): string[] => globSync('/sys/fs/cgroup/**/envicutor-*start-refused*', { exclude: [] });

test('without any cgroup hierarchy it refuses to start, and says what to mount', () => {
  const { status, said } = start('umount --recursive --lazy /sys/fs/cgroup');
  assert.equal(status, 78, said);
  assert.match(said, /cgroup/);
  assert.match(said, /mount|systemd|--cgroup-path/);
  assert.equal(existsSync(join(folder, 'launcher.sock')), false);
});

test('without the controller that one limit needs it refuses to start, and names it', (context) => {
  const isUnified = !existsSync('/sys/fs/cgroup/pids');
  if (isUnified) {
    context.diagnostic('one hierarchy holds all controllers here; that it is missing as a whole is tested above');
    return;
  }
  for (const controller of ['memory', 'pids']) {
    const { status, said } = start(`umount --lazy /sys/fs/cgroup/${controller}`);
    assert.equal(status, 78, said);
    assert.match(said, new RegExp(`cgroup controller \\W*${controller}`));
  }
});

test('a name that another launcher uses is refused, and that one goes on', async () => {
  const { status, said } = start('', `envicutor-start-${process.pid}`);
  assert.equal(status, 78, said);
  assert.match(said, /another launcher uses this cgroup name.*--cgroup/s);
  assert.equal((await neighbour.sandbox.gauges()).running, 0);
});

test('what could not start leaves no group behind', () => {
  assert.deepEqual(leftBehind(), []);
});
