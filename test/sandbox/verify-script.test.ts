/**
 * Owns the proof that a `verify` script runs on the very bytes that are published, without network, unprivileged, and leaves nothing: on
 * the real launcher.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { STAGED_FILE } from '../../coordinator/builder/layer-capture.ts';
import { runVerifyScript } from '../../coordinator/builder/verify-script.ts';
import { systemRandom } from '../../shared/clock.ts';
import { digestOf } from '../../shared/digest.ts';
import { SystemError } from '../../shared/errors.ts';
import { LayerInstaller } from '../../shared/layers/layer-installer.ts';
import { silentLogger } from '../../shared/logger.ts';
import type { Report } from '../../shared/model/verdict.ts';
import { buildOrder } from '../support/build-orders.ts';
import { RealLauncher } from '../support/real-launcher.ts';
import { tarOf } from '../support/tar-pieces.ts';

const folder = mkdtempSync(join(tmpdir(), 'envicutor-verify-'));
let launcher: RealLauncher;

before(async () => {
  launcher = await RealLauncher.start('envicutor-verify');
});
after(async () => {
  await launcher.stop();
  rmSync(folder, { recursive: true });
});

const layerOf = (text: string) => tarOf({ name: 'environment/', type: '5' }, { name: 'environment/file', body: text });

/** Runs a script on what is staged, which is said to be the layer of `text`. */
function verify(script: string, text: string, staged: Buffer = zstdCompressSync(layerOf(text))): Promise<Report> {
  const tar = layerOf(text);
  writeFileSync(join(folder, STAGED_FILE), staged);
  const order = buildOrder({ verify: script });
  const described = {
    buildId: order.buildId,
    blob: { digest: digestOf(staged), bytes: staged.length },
    tar: { digest: digestOf(tar), bytes: tar.length, entries: 2, rules: 2 },
    variables: { LEFT: 'by the script' },
  };
  const ground = { layers: ['base'], variables: {} };
  const signal = new AbortController().signal;
  const { sandbox } = launcher;
  const installer = new LayerInstaller({ sandbox, random: systemRandom, logger: silentLogger });
  return runVerifyScript(
    { order, script, staged: described, folder, ground, cpuShares: 1024 },
    { sandbox, emit: () => undefined, masking: null, signal, installer },
  );
}

test('it sees the layer and its variables, is nobody, has no network but loopback, and what it writes is gone', async () => {
  const script = [
    'test "$(cat /environment/file)" = content',
    'test "$LEFT" = "by the script"',
    'test "$(id -u)" = 1000',
    'test "$(tail -n +3 /proc/net/dev | wc -l)" = 1',
    'test "$(wc -l < /proc/net/route)" = 1',
    'touch here',
    '! touch /environment/file 2>&1',
  ].join(' && ');
  const before = await launcher.sandbox.store.list();
  for (let time = 0; time < 2; time++) {
    const report = await verify(`test ! -e here && ${script}`, 'content');
    assert.equal(report.verdict, 'ok', report.stderr);
  }
  assert.deepEqual(await launcher.sandbox.store.list(), before);
});

test('its verdict is its own: one that fails is told with its Report', async () => {
  const report = await verify('echo no >&2; exit 3', 'content');
  assert.deepEqual([report.verdict, report.exitCode, report.stderr], ['nonzero-exit', 3, 'no\n']);
});

test('a staged file that is no longer what was captured is not verified, and nothing of it stays', async () => {
  const before = await launcher.sandbox.store.list();
  const swapped = [
    zstdCompressSync(layerOf('CONTENT')),
    zstdCompressSync(layerOf('content')).subarray(0, -4),
    Buffer.alloc(0),
  ];
  for (const staged of swapped) {
    await assert.rejects(
      verify('true', 'content', staged),
      (error) => error instanceof SystemError && error.code === 'layer-corrupt',
    );
  }
  assert.deepEqual(await launcher.sandbox.store.list(), before);
});
