/**
 * Owns the proof that real bases and layers are built through real registries by the real launcher, proxy and builder.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
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

test('builds reach neither each other nor anything of this machine: ports, abstract sockets, the sockets of our processes', async (t) => {
  const isListening = Promise.withResolvers<void>();
  const end = new AbortController();
  const listener = `perl -MSocket -e '
    socket(my $t, AF_INET, SOCK_STREAM, 0); bind($t, pack_sockaddr_in(7777, INADDR_LOOPBACK)) or die; listen($t, 5) or die;
    socket(my $u, AF_UNIX, SOCK_STREAM, 0); bind($u, pack_sockaddr_un("\\0envicutor-meet")) or die; listen($u, 5) or die;
    $| = 1; print "listening\\n"; sleep 600'`;
  const running = builder.build({ parents: [base], script: listener }, end.signal, (event) => {
    if (event.type === 'log' && event.text.includes('listening')) isListening.resolve();
  });
  running.catch(() => undefined);
  t.after(() => end.abort());
  const [own, unnamed] = [createServer(), createServer()];
  own.listen(0, '0.0.0.0');
  unnamed.listen('\0envicutor-host');
  await Promise.all([once(own, 'listening'), once(unnamed, 'listening')]);
  t.after(() => [own, unnamed].forEach((server) => void server.close()));
  await isListening.promise;
  const { port } = own.address() as AddressInfo;
  const addresses = Object.values(networkInterfaces()).flatMap((list) =>
    (list ?? []).filter(({ family }) => family === 'IPv4').map(({ address }) => `${address}:${port}`),
  );
  const places = ['198.18.0.1:80', '127.0.0.1:7777', `198.18.0.1:${port}`, ...addresses];
  const probe = `perl -MSocket -e '
    for (qw(${places.join(' ')})) { my ($a, $p) = split /:/; socket(my $s, AF_INET, SOCK_STREAM, 0);
      print "reached $_\\n" if connect($s, pack_sockaddr_in($p, inet_aton($a))) }
    for ("\\0envicutor-meet", "\\0envicutor-host", "${builder.folder}/builder.sock", "${builder.folder}/launcher.sock") {
      socket(my $s, AF_UNIX, SOCK_STREAM, 0); print "reached a socket $_\\n" if connect($s, pack_sockaddr_un($_)) }
    print "probed\\n"'`;
  const { log, finished } = await builder.build({ parents: [base], script: probe });
  assert.equal(finished.report.verdict, 'ok', log);
  // The proxy's own port is what a build can reach, and shows that the probe would say so.
  assert.equal(log, 'reached 198.18.0.1:80\nprobed\n');
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
