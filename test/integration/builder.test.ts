/**
 * Owns the proof that real bases and layers are built through real registries by the real launcher, proxy and builder.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { after, before, test } from 'node:test';
import { digestOf } from '../../shared/digest.ts';
import type { BuildOrder } from '../../shared/model/build.ts';
import { limitDefaults } from '../../shared/model/limits.ts';
import type { LayerReference } from '../../shared/model/manifest.ts';
import { MARK_FILE } from '../../shared/model/toolchain-variables.ts';
import { BuilderProcess } from '../support/builder-process.ts';
import { untilGone } from '../support/host-traces.ts';

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

test('a private layer has other bytes than the same script gives to others, and to another tenant', async () => {
  const marks = [null, digestOf('one tenant'), digestOf('another')];
  const digests = new Set<string>();
  for (const mark of marks) {
    const { finished, log } = await setup('echo same > /environment/file; rm -rf /environment/.envicutor', {
      isPrivate: mark !== null,
      mark,
    });
    assert.ok(finished.layer !== null, log);
    digests.add(finished.layer.tar.digest);
  }
  assert.equal(digests.size, marks.length);
});

test('a layer whose build was seen to send credentials holds its mark like one that was private from the start', async () => {
  const mark = digestOf('one tenant');
  const verify = `test "$(cat ${MARK_FILE})" = ${mark}`;
  const fetch = (header: string) => `#!/bin/bash -e
    host=$(grep -rhoE 'https?://[^/ ]+' /etc/apt/sources.list /etc/apt/sources.list.d | head -n 1 | sed 's|.*//||')
    exec 3<>"/dev/tcp/$host/80"
    printf 'GET / HTTP/1.1\\r\\nHost: %s\\r\\n${header}Connection: close\\r\\n\\r\\n' "$host" >&3
    cat <&3 > /dev/null`;
  const { finished, log } = await setup(fetch('Authorization: Basic eDp5\\r\\n'), { mark, verify });
  assert.deepEqual([finished.isPrivate, finished.verify?.verdict], [true, 'ok'], log);
  const without = await setup(fetch(''), { mark, verify: `test ! -e ${MARK_FILE}` });
  assert.deepEqual([without.finished.isPrivate, without.finished.verify?.verdict], [false, 'ok'], without.log);
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

test('a script of no bytes leaves a layer of directories, upon which others stand', async () => {
  const { finished, log } = await setup('');
  assert.equal(finished.report.verdict, 'ok', log);
  const layer = await builder.publish(finished, 'setup', [base]);
  const above = await builder.build({ kind: 'dependencies', parents: [base, layer], script: 'test -d /environment' });
  assert.equal(above.finished.report.verdict, 'ok', above.log);
});

const MiB = 1024 ** 2;
// biome-ignore format: what a script does, its limits, the verdict
const unbounded: readonly (readonly [string, string, Partial<BuildOrder['limits']>, string])[] = [
  ['computes for ever',               'while :; do :; done',                              { cpuTimeMs: 500 },      'cpu-time-exceeded'],
  ['waits for ever',                  'sleep 1000',                                       { wallTimeMs: 1000 },    'wall-time-exceeded'],
  ['forks without end',               'while :; do sleep 1000 & done',                    { processes: 64 },       'nonzero-exit'],
  ['floods its log',                  'yes',                                              { outputBytes: MiB },    'output-exceeded'],
  ['floods its log by both streams',  'yes & yes >&2',                                    { outputBytes: MiB },    'output-exceeded'],
  ['fills its disk with bytes',       'head -c 100000000 /dev/zero > /big',               { diskBytes: 32 * MiB }, 'disk-exceeded'],
  ['fills its disk with files',       'while :; do : > "/f$((i += 1))"; done',            { diskInodes: 2000 },    'disk-exceeded'],
  ['writes one file without end',     'head -c 100000000 /dev/zero > /big',               { fileSizeBytes: MiB },  'file-size-exceeded'],
  ['takes memory without end',        'head -c 500000000 /dev/zero | tail -c 400000000',  { memoryBytes: 64 * MiB }, 'memory-exceeded'],
];

for (const [what, script, changes, verdict] of unbounded) {
  test(`a script that ${what} is ${verdict}, and keeps nothing`, async () => {
    const before = readdirSync(builder.staging);
    const limits = { ...limitDefaults.build, ...changes };
    const { finished, log } = await setup(script, { limits });
    assert.deepEqual([finished.report.verdict, finished.layer], [verdict, null], log.slice(-500));
    assert.ok(log.length <= 2 * limits.outputBytes, `${log.length} characters of log`);
    assert.deepEqual(readdirSync(builder.staging), before);
  });
}

// biome-ignore format: what a script leaves where the system keeps its own, and how that is told
const colliding: readonly (readonly [string, string, RegExp])[] = [
  ['a link in the place of /environment',        'cd /; rm -rf /environment; ln -s /etc /environment',                          /"\/environment" is a symlink/],
  ['a file in the place of a directory of ours', 'rm -rf .envicutor; echo A=1 > .envicutor',                                    /\.envicutor" is a file/],
  ['a link in the place of the variables',       'rm -f "$ENVICUTOR_ENV"; ln -s /etc/passwd "$ENVICUTOR_ENV"',                  /variables" is a symlink/],
  ['what we mounted, elsewhere',                 'cp -r /run/envicutor /kept',                                                  /"\/kept\/ca\.crt" holds the certificate/],
];

for (const [what, script, told] of colliding) {
  test(`a script that leaves ${what} makes no layer, and is told which name it is`, async () => {
    const before = readdirSync(builder.staging);
    await assert.rejects(setup(script), told);
    assert.deepEqual(readdirSync(builder.staging), before);
  });
}

test('what a script leaves in the place of a workspace is not in the layer', async () => {
  const { finished, log } = await setup('rm -rf workspace; ln -s /etc workspace', {
    verify: 'test "$PWD" = /environment/workspace; test ! -L /environment/workspace; : > mine',
  });
  assert.equal(finished.verify?.verdict, 'ok', log);
});

const listening = `perl -MSocket -e '
socket(S, AF_UNIX, SOCK_STREAM, 0); bind(S, pack_sockaddr_un("\\0envicutor-smuggler")) or die "bind: $!"; listen(S, 1);
$| = 1; print "listening\\n"; accept(C, S); print "somebody came\\n"; sleep 600'`;
const calling = `perl -MSocket -e '
socket(S, AF_UNIX, SOCK_STREAM, 0); connect(S, pack_sockaddr_un("\\0envicutor-smuggler")) and die "connected"; print "refused: $!\\n"'`;

test('two builds at the same time meet on no abstract socket, so that neither can hand the other a descriptor', async () => {
  const controller = new AbortController();
  const isListening = Promise.withResolvers<void>();
  let heard = '';
  const order: Partial<BuildOrder> = { kind: 'setup', parents: [base], script: listening };
  const first = builder.build(order, controller.signal, (event) => {
    if (event.type === 'log') heard += event.text;
    if (heard.includes('listening\n')) isListening.resolve();
  });
  await Promise.race([isListening.promise, first]);
  const { finished, log } = await setup(calling);
  controller.abort();
  await assert.rejects(first);
  assert.deepEqual([finished.report.verdict, log], ['ok', 'refused: Connection refused\n']);
  assert.equal(heard, 'listening\n');
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
  const buildId = 'build_cancelled';
  const order = { buildId, parents: [base], script: 'echo here; sleep 600' };
  const cancelled = builder.build(order, controller.signal, (event) => {
    if (event.type === 'log' && event.text === 'here\n') isRunning.resolve();
  });
  await isRunning.promise;
  assert.ok(readdirSync(builder.staging).includes(buildId));
  controller.abort();
  await assert.rejects(cancelled);
  const { finished } = await builder.build({ parents: [base], script: 'exit 1' });
  assert.equal(finished.report.verdict, 'nonzero-exit');
  await untilGone(() => readdirSync(builder.staging).filter((name) => name === buildId));
});

test('nothing is built on a parent that was revoked, nor later under an older state', async () => {
  const refused = { code: 'build-failed', message: /layer-revoked: / };
  await assert.rejects(setup('true', { trust: builder.revoking(base) }), refused);
  await assert.rejects(setup('true'), refused);
});
