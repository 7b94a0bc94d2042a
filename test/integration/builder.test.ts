/**
 * Owns the proof that real bases and layers are built through real registries by the real launcher, proxy and builder.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openStaged, readStaged } from '../../coordinator/environments/verifier/staged-file.ts';
import { digestOf } from '../../shared/digest.ts';
import type { BuildOrder } from '../../shared/model/build.ts';
import { limitDefaults } from '../../shared/model/limits.ts';
import type { LayerReference } from '../../shared/model/manifest.ts';
import { connectLauncher } from '../../shared/sandbox/launcher-client.ts';
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
    const { finished, log } = await setup('echo same > /environment/file', { mark, isPrivate: mark !== null });
    assert.ok(finished.layer !== null, log);
    digests.add(finished.layer.tar.digest);
  }
  assert.equal(digests.size, marks.length);
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

/** Is there a process of this name on the whole machine? */
const isAlive = (name: string): boolean =>
  readdirSync('/proc').some((entry) => {
    try {
      return /^\d+$/.test(entry) && readFileSync(`/proc/${entry}/cmdline`, 'latin1').startsWith(name);
    } catch {
      return false;
    }
  });

test('what a script leaves running is dead before it is captured', async () => {
  const name = `envicutor-left-${process.pid}`;
  const daemon = `perl -MPOSIX -e '
    $SIG{$_} = "IGNORE" for keys %SIG; fork and exit; setsid(); fork and exit; $0 = "${name}";
    open(F, ">>", "/environment/clock"); syswrite(F, "x" x 1000) while 1'`;
  const phases: boolean[] = [];
  const script = `${daemon}\nwhile [ ! -s clock ]; do :; done`;
  const { finished, log } = await builder.build({ parents: [base], script }, undefined, (event) => {
    if (event.type === 'phase' && event.phase === 'capturing') phases.push(isAlive(name));
  });
  assert.deepEqual([finished.report.verdict, phases], ['ok', [false]], log);
  assert.ok((finished.layer?.tar.bytes ?? 0) > 1000, 'what it wrote while it lived is there');
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

test('a full staging folder fails the build by its reason and is left empty; the same build works when there is room', async (context) => {
  const size = (bytes: number, how: string): Buffer =>
    execFileSync('mount', ['-t', 'tmpfs', '-o', `${how}size=${bytes},mode=0755`, 'tmpfs', builder.staging]);
  size(4 * MiB, '');
  context.after(() => execFileSync('umount', [builder.staging]));
  const script = 'head -c 16000000 /dev/urandom > /environment/noise';
  await assert.rejects(setup(script), { code: 'build-failed', message: /no room left/ });
  assert.deepEqual(readdirSync(builder.staging), []);
  size(64 * MiB, 'remount,');
  const { finished, log } = await setup(script);
  assert.ok((finished.layer?.tar.bytes ?? 0) > 16_000_000, log);
});

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

const descending = (name: string) => `perl -e 'for (1..300) { mkdir "${name}" or die $!; chdir "${name}" or die $! }'`;
const small = { limits: { ...limitDefaults.build, diskBytes: 32 * MiB, diskInodes: 1000 } };
// biome-ignore format: what a script leaves, how, and what is told
const tooMuch: readonly (readonly [string, string, RegExp, Partial<BuildOrder>?])[] = [
  ['directories deeper than anybody reads',     descending('d'),                                         /\/d\/d.*is deeper than 256 directories/],
  ['a path longer than any',                    descending('d'.repeat(200)),                             /dd.*is longer than 4095 bytes/],
  ['files that are sparse and said to be huge', 'truncate -s 3G a b c',                                  /it holds more than \d+ bytes/, small],
  ['variables without end',                     'yes A=1 | head -c 2000000 >> "$ENVICUTOR_ENV"',         /\$ENVICUTOR_ENV has more than 1048576 bytes/],
];

for (const [what, script, told, changes] of tooMuch) {
  test(`a script that leaves ${what} makes no layer, and is told why`, async () => {
    const before = readdirSync(builder.staging);
    await assert.rejects(setup(script, changes), { code: 'layer-refused', message: told });
    assert.deepEqual(readdirSync(builder.staging), before);
  });
}

test("a request's files that do not fit into the build's disk are its limit's verdict, and no failure of ours", async () => {
  const files = Array.from({ length: 20 }, (_, index) => ({ path: `f${index}`, content: 'x'.repeat(MiB / 10) }));
  for (const limits of [{ diskBytes: MiB }, { diskInodes: 5 }]) {
    const { finished } = await setup('true', { files, limits: { ...limitDefaults.build, ...limits } });
    const { verdict, exceeded } = finished.report;
    assert.deepEqual([verdict, exceeded?.limit, finished.layer], ['disk-exceeded', Object.keys(limits)[0], null]);
  }
});

test("what a script leaves in the way of the request's files is told as the next script's start, and no failure of ours", async () => {
  const files = [{ path: 'a/b', content: 'x' }];
  const obstacles = [
    ['rm -r a; : > a', 'ENOTDIR'],
    ['rm -r a; ln -s /etc a', 'ELOOP'],
    ['rm a/b; mkdir a/b', 'EISDIR'],
  ] as const;
  for (const [script, errno] of obstacles) {
    const { finished } = await setup(script, { files });
    const parents = [base, await builder.publish(finished, 'setup', [base])];
    const next = await builder.build({ kind: 'dependencies', parents, script: 'true', files });
    const { verdict, start } = next.finished.report;
    assert.deepEqual([verdict, start?.step, start?.errno, next.finished.layer], ['start-failed', 'files', errno, null]);
  }
});

test('versions that contradict each other are named in the Report', async () => {
  const { finished } = await setup('apt-get install -y mawk=1.0 mawk=2.0');
  assert.deepEqual([finished.report.verdict, finished.endedIn, finished.layer], ['nonzero-exit', 'setup', null]);
  assert.match(finished.report.stderr, /Version '2\.0' for 'mawk' was not found/);
});

const odd = String.raw`mkdir odd; cd odd; perl -e '
  my @names = ("a\nb", "bad\xff\xfe", "n" x 255, " lead", "trail ", "-rf", "back\\slash", "quo\"te", "cr\rlf", "\x1b[31m", "\x01", "...", "%s", "*");
  for (@names, ".wh.b", ".wh..wh..opq", "PaxHeaders.0") { open(F, ">", $_) or die "$_: $!"; print F "in $_"; close F }
  mkdir "d\n/" or die; symlink("../../../../etc/shadow\n\xff", "d\n/l") or die; link("a\nb", "d\n/hard") or die;
  mkdir join("/", ("deep" x 20) x $_) or die for 1..30; open(F, ">", join("/", ("deep" x 20) x 30) . "/f") or die'
truncate -s 1M hole; chmod 0 -- -rf; chown 65534:1 ...; chmod 1777 .
rm /etc/issue; rm -r /usr/share/doc/apt; mkdir /usr/share/doc/apt; touch /etc/.wh.passwd`;
const listing = String.raw`cd /environment/odd; LC_ALL=C
find . -printf '%p %y %m %U %G %n %l\0' | sort -z | sha256sum; find . -type f -print0 | sort -z | xargs -0 sha256sum --zero | sha256sum
find . | wc -l; test ! -e /etc/issue; test -e /etc/passwd; ls -A /usr/share/doc/apt`;

test('names, links and kinds of every oddity are in the layer what they were in the build, for verifier and reader alike', async () => {
  const { finished, log } = await setup(`${odd}\n${listing}`);
  assert.ok(finished.layer !== null, log);
  const file = await openStaged(builder.staging, finished.layer.buildId);
  const content = await readStaged(file, { entriesMax: 1000, bytesMax: 100 * MiB });
  await file.close();
  assert.deepEqual(content.tar.digest, finished.layer.tar.digest);
  const layer = await builder.publish(finished, 'setup', [base]);
  const above = await builder.build({ kind: 'dependencies', parents: [base, layer], script: listing });
  assert.deepEqual([above.finished.report.verdict, above.log], ['ok', log]);
  assert.match(log, /\n5\d\n$/);
});

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
  // Others that were cancelled before it may be leaving at the same time.
  await untilGone(() => readdirSync(builder.staging).filter((name) => name === buildId));
});

test('nothing is built on a parent that was revoked, nor later under an older state', async () => {
  const refused = { code: 'build-failed', message: /layer-revoked: / };
  await assert.rejects(setup('true', { trust: builder.revoking(base) }), refused);
  await assert.rejects(setup('true'), refused);
});

test('of all these builds, failed, refused, cancelled or not, the launcher keeps nothing and runs nothing', async (t) => {
  const sandbox = await connectLauncher({ socketPath: join(builder.folder, 'launcher.sock') });
  t.after(() => sandbox.close());
  const until = performance.now() + 20_000;
  const left = async () => {
    const { running, kept } = await sandbox.gauges();
    return running + kept;
  };
  // Letting go is a message without an answer.
  while ((await left()) > 0) assert.ok(performance.now() < until, JSON.stringify(await sandbox.gauges()));
});
