/**
 * Owns the proof that what the stock mounts ahead of time is never noticed but by its speed: each launch lies upon exactly the
 * layers that it names, with its own limits, and a layer that goes is gone. Runs the real launcher; needs root.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { limitDefaults } from '../../shared/model/limits.ts';
import { OutputBuffer } from '../../shared/sandbox/output-buffer.ts';
import type { KeptLayer, LaunchReport, LaunchSpec } from '../../shared/sandbox/sandbox.ts';
import { patience } from '../support/guest.ts';
import { launchSpec } from '../support/launch-spec.ts';
import { RealLauncher } from '../support/real-launcher.ts';

let launcher: RealLauncher;
before(async () => {
  launcher = await RealLauncher.start('envicutor-stock');
});
after(() => launcher.stop());

async function run(spec: LaunchSpec): Promise<{ report: LaunchReport; output: string }> {
  const output = new OutputBuffer();
  const report = await launcher.sandbox.launch(spec, { stdout: output.append.bind(output) }).report;
  return { report, output: output.bytes().toString() };
}

const shell = (script: string, changes: Partial<LaunchSpec> = {}) =>
  launchSpec(['/bin/sh', '-c', script], { layers: ['base'], ...changes });

/** Launches until one found its layers mounted; the stock fills up between launches. */
async function untilForeseen(spec: LaunchSpec): Promise<number> {
  for (let tries = 1; tries <= 200; tries++) {
    const { report } = await run(spec);
    assert.equal(report.exitCode, 0);
    if (report.mountMs === 0) return tries;
  }
  throw new Error('200 launches upon the same layers, and none found them mounted');
}

async function keep(text: string): Promise<KeptLayer> {
  const launch = launcher.sandbox.launch(shell(`echo ${text} > made`, { isKept: true }));
  assert.equal((await launch.report).exitCode, 0);
  return launch.kept;
}

test('layers that are asked for again and again are found mounted', async () => {
  assert.ok((await untilForeseen(shell('true'))) > 1);
});

test('a launch lies upon the kept layers that it names, foreseen or not', async () => {
  const made = [await keep('first'), await keep('second'), await keep('third')];
  for (let round = 0; round < 20; round++) {
    const index = round % made.length;
    const kept = made.slice(index, index + 1);
    const { output } = await run(shell('cat made; echo changed > made', { kept }));
    assert.equal(output, `${['first', 'second', 'third'][index]}\n`);
  }
  for (const kept of made) launcher.sandbox.release(kept);
});

test('a kept layer that is released is refused, even if shells had been prepared upon it', async () => {
  const kept = await keep('gone soon');
  await untilForeseen(shell('cat made', { kept: [kept] }));
  launcher.sandbox.release(kept);
  const { report } = await run(shell('cat made', { kept: [kept] }));
  assert.deepEqual(report.failure, { step: 'layers', errno: 'ENOENT' });
});

test('a removed layer is refused, even if shells had been prepared upon it', async () => {
  const { store } = launcher.sandbox;
  await store.create('short-new');
  const filled = launchSpec(['/bin/sh', '-c', 'mkdir -p /target/etc && echo here > /target/etc/short'], {
    profile: 'host',
    target: 'short-new',
    directory: '/',
    limits: limitDefaults.build,
  });
  assert.equal((await run(filled)).report.exitCode, 0);
  await store.commit('short-new', 'short');
  const spec = shell('cat /etc/short', { layers: ['base', 'short'] });
  await untilForeseen(spec);
  await store.remove('short');
  assert.deepEqual((await run(spec)).report.failure, { step: 'layers', errno: 'ENOENT' });
});

test('a prepared shell has the limits of its launch, not those of the launch before', async () => {
  await untilForeseen(shell('true'));
  const big = 64 << 20;
  for (const memoryBytes of [32 << 20, 512 << 20, 16 << 20, 256 << 20]) {
    const spec = shell(`head -c ${big} /dev/zero | tail -c ${big} | wc -c`);
    const clocks = { cpuTimeMs: 10_000 * patience, wallTimeMs: 20_000 * patience, idleTimeMs: 20_000 * patience };
    const { report, output } = await run({ ...spec, limits: { ...limitDefaults.run, ...clocks, memoryBytes } });
    const fits = memoryBytes > 2 * big;
    assert.equal(report.exceeded?.limit ?? null, fits ? null : 'memoryBytes', `${memoryBytes} bytes`);
    // Version 1 kills one process of the pipe; whether wc still counts nothing before all are killed is chance.
    if (fits) assert.equal(output, `${big}\n`);
    else assert.match(output, /^(0\n)?$/);
    assert.equal(report.exceeded?.allowed ?? memoryBytes, memoryBytes);
  }
});

test('limits too small to live with harm only who asked for them', async () => {
  const tiny = { ...limitDefaults.run, memoryBytes: 4096, processes: 1 };
  for (let round = 0; round < 10; round++) {
    const { report } = await run({ ...shell('true'), limits: tiny });
    assert.notEqual(report.exitCode, 0);
    assert.equal((await run(shell('exit 4'))).report.exitCode, 4);
  }
});

test('what one run wrote is in no other, foreseen or not', async () => {
  await untilForeseen(shell('true'));
  for (let round = 0; round < 20; round++) {
    const { output } = await run(
      shell('ls -A . /tmp /dev/shm; echo left > left; echo left > /tmp/left; echo left > /dev/shm/left'),
    );
    assert.equal(output, '.:\n\n/dev/shm:\n\n/tmp:\n');
  }
});
