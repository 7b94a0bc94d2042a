/**
 * Owns the proof that real bases and layers are built through real registries by the real launcher, proxy and builder.
 */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type { BuildOrder } from '../../shared/model/build.ts';
import { limitDefaults } from '../../shared/model/limits.ts';
import type { LayerReference } from '../../shared/model/manifest.ts';
import { BuilderProcess } from '../support/builder-process.ts';

const builder = new BuilderProcess();
let base: LayerReference;

before(async () => {
  await builder.start();
  const { finished, log } = await builder.build({ kind: 'base', base: 'debian-13' });
  assert.equal(finished.report.verdict, 'ok', log);
  assert.ok(finished.materials.some((record) => record.kind === 'artefact' && record.url.endsWith('.deb')));
  base = await builder.publish(finished, 'base', []);
});
after(() => builder.stop());

const setup = (script: string, changes: Partial<BuildOrder> = {}) =>
  builder.build({ kind: 'setup', base: 'debian-13', parents: [base], script, ...changes });

test('a Debian 12 base is made from its own release', async () => {
  const { finished, log } = await builder.build({ kind: 'base', base: 'debian-12' });
  assert.equal(finished.report.verdict, 'ok', log);
  const parent = await builder.publish(finished, 'base', []);
  const released = await builder.build({ parents: [parent], script: '. /etc/os-release; test "$VERSION_ID" = 12' });
  assert.equal(released.finished.report.verdict, 'ok', released.log);
});

test('g++ is installed by apt, verified without network, and stands below a dependencies layer', async () => {
  const script = 'apt-get update\napt-get install -y --no-install-recommends g++\necho LEVEL=3 >> "$ENVICUTOR_ENV"';
  const verify =
    'printf "int main(){return 0;}" > a.cpp\ng++ a.cpp -o a\n./a\ntest "$LEVEL" = 3\ntest "$(id -u)" = 1000';
  const { finished, log } = await setup(script, { verify });
  assert.equal(finished.report.verdict, 'ok', log);
  assert.equal(finished.verify?.verdict, 'ok', log);
  assert.deepEqual(
    [finished.layer?.variables, finished.isPrivate, finished.isNetworkUnreachable],
    [{ LEVEL: '3' }, false, false],
  );
  const layer = await builder.publish(finished, 'setup', [base]);
  const files = [{ path: 'main.cpp', content: 'int main() { return 0; }' }];
  const above = await builder.build({
    kind: 'dependencies',
    parents: [base, layer],
    script: 'test "$LEVEL" = 3\ng++ main.cpp -o main\nrm main.cpp /usr/bin/cpp',
    verify: '/environment/main\ntest ! -e /usr/bin/cpp',
    files,
  });
  assert.equal(above.finished.verify?.verdict, 'ok', above.log);
});

test('the same script gives the same bytes', async () => {
  const script =
    'apt-get update\napt-get install -y --no-install-recommends make\nmake --version > /environment/version';
  const [first, second] = [await setup(script), await setup(script)];
  assert.ok(first.finished.layer !== null, first.log);
  assert.deepEqual(first.finished.layer.tar, second.finished.layer?.tar);
});

test('a script that fails leaves its Report and its log, and no layer', async () => {
  const { finished, log } = await setup('echo before; touch /x; exit 3');
  assert.deepEqual([finished.report.verdict, finished.report.exitCode, finished.endedIn], ['nonzero-exit', 3, 'setup']);
  assert.equal(log, 'before\n');
  assert.equal(finished.layer, null);
});

test('a verify script that fails takes the layer with it', async () => {
  const { finished } = await setup('touch /there', { verify: 'test -e /there; test -e /not-there' });
  assert.deepEqual([finished.endedIn, finished.layer, finished.report.verdict], ['verify', null, 'ok']);
  assert.equal(finished.verify?.verdict, 'nonzero-exit');
});

test("a layer that holds the build's certificate is refused with a sentence", async () => {
  await assert.rejects(setup('cp "$SSL_CERT_FILE" /etc/kept.crt'), /\/etc\/kept\.crt.*certificate/);
});

test('what a script leaves running is dead before it is captured', async () => {
  const script = 'setsid sh -c "while :; do date >> /environment/clock; done" & sleep 0.3; echo done';
  const { finished, log } = await setup(script, {
    verify: 'a=$(wc -c < /environment/clock); test "$a" = "$(wc -c < /environment/clock)"',
  });
  assert.equal(finished.verify?.verdict, 'ok', log);
});

test('a script that fills its disk is told so', async () => {
  const limits = { ...limitDefaults.build, diskBytes: 32 * 1024 ** 2 };
  const { finished } = await setup('head -c 100000000 /dev/zero > /big', { limits });
  assert.equal(finished.report.verdict, 'disk-exceeded');
});

test('a cancelled build ends and leaves nothing behind', async () => {
  const controller = new AbortController();
  const isRunning = Promise.withResolvers<void>();
  const order = { parents: [base], script: 'echo here; sleep 600' };
  const cancelled = builder.build(order, controller.signal, (event) => {
    if (event.type === 'log' && event.text === 'here\n') isRunning.resolve();
  });
  await isRunning.promise;
  const before = readdirSync(builder.staging);
  controller.abort();
  await assert.rejects(cancelled);
  const { finished } = await builder.build({ parents: [base], script: 'exit 1' });
  assert.equal(finished.report.verdict, 'nonzero-exit');
  assert.deepEqual(
    readdirSync(builder.staging),
    before.filter((name) => name !== before.at(-1)),
  );
});

test('nothing is built on a parent that was revoked, nor later under an older state', async () => {
  const refused = { code: 'build-failed', message: /layer-revoked: / };
  await assert.rejects(setup('true', { trust: builder.revoking(base) }), refused);
  await assert.rejects(setup('true'), refused);
});
