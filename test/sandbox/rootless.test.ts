/**
 * Owns the proof that an ordinary user's launcher is the same sandbox, or says in one sentence with its remedy why not.
 * As root it tests what such a launcher refuses on this machine; as an ordinary user with a delegated cgroup (test/guest/boot --user) it
 * tests the real one. What must stay true: neither half is ever skipped, they are two people's tests.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { limitDefaults } from '../../shared/model/limits.ts';
import { toLaunchSentence } from '../../shared/sandbox/launch-failure.ts';
import { connectLauncher } from '../../shared/sandbox/launcher-client.ts';
import { describeMissing, missingFacts } from '../../shared/sandbox/launcher-facts.ts';
import { OutputBuffer } from '../../shared/sandbox/output-buffer.ts';
import type { LaunchReport, LaunchSpec, Sandbox } from '../../shared/sandbox/sandbox.ts';
import { launchSpec } from '../support/launch-spec.ts';
import { RealLauncher } from '../support/real-launcher.ts';

const sources = new URL('../../shared/sandbox/launcher/', import.meta.url).pathname;
const binary = process.env['ENVICUTOR_TEST_LAUNCHER'] ?? join(sources, 'build/envicutor-launcher');
const ORDINARY_USER = 61_234;
type Started = { readonly sandbox: Sandbox; readonly child: ChildProcess };
const folder = mkdtempSync(join(tmpdir(), 'envicutor-rootless-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('each thing that the launcher can say is missing has a sentence and a remedy, and no other has', () => {
  const said = readdirSync(sources)
    .filter((name) => name.endsWith('.c'))
    .flatMap((name) => [...readFileSync(join(sources, name), 'utf8').matchAll(/\bmissing\("([a-z-]+)"\)/g)])
    .map((match) => match[1] ?? '');
  assert.deepEqual([...new Set(said)].sort(), Object.keys(missingFacts).sort());
  for (const { sentence, remedy } of Object.values(missingFacts)) {
    assert.match(sentence, /^[A-Z].*\.$/);
    assert.ok(remedy.length > 10);
  }
  assert.deepEqual(describeMissing(['of-a-newer-launcher']), ['of-a-newer-launcher']);
});

/** Exit code and words of a launcher that refuses to start. */
function refusal(command: string, argv: readonly string[], user?: number): string {
  const ids = user === undefined ? {} : { uid: user, gid: user };
  const ended = spawnSync(command, argv, { encoding: 'utf8', timeout: 10_000, cwd: '/', ...ids });
  assert.equal(ended.status, 78, `${ended.stderr} ${ended.signal}`);
  return ended.stderr;
}

function asRoot(): void {
  const options = ['--fd', '0', '--store', '/tmp/envicutor-no-store', '--cgroup', 'refused'];

  test('an ordinary user without a delegated cgroup v2 is told what gives him one', () => {
    chmodSync(folder, 0o755);
    const copy = join(folder, 'launcher');
    copyFileSync(binary, copy);
    const said = refusal(copy, options, ORDINARY_USER);
    const cgroup = /cgroup.*Remedy: .*(systemd\.unified_cgroup_hierarchy=1|Delegate=|cgroup\.procs)/;
    // Some distributions give no user namespaces to a program that they do not know: that comes first.
    assert.match(said, /user namespace/.test(said) ? /can't be made.*Remedy: .*start us as root/ : cgroup);
  });

  test('an ordinary user can not serve another one', () => {
    const said = refusal(join(folder, 'launcher'), ['--client-uid', '12', ...options], ORDINARY_USER);
    assert.match(said, /serves only its own user.*Remedy: leave --client-uid out/);
  });

  test('a host without user namespaces is named with the setting that forbids them', () => {
    const script = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"';
    const inside = ['--user', '--map-root-user', 'sh', '-c', script, 'sh', binary, ...options];
    assert.match(refusal('unshare', inside), /user namespace can't be made.*Remedy: .*user\.max_user_namespaces/);
  });

  test('a launcher with a set-id bit refuses to start, for whoever may execute it', () => {
    const copy = join(folder, 'set-id');
    copyFileSync(binary, copy);
    chmodSync(copy, 0o4755);
    assert.match(refusal(copy, options, ORDINARY_USER), /set-id.*Remedy: .*chmod/);
  });

  test('where root may make no devices the machine’s own are shown, and that is said', async () => {
    const { sandbox, child } = await startOwn('no-devices', ['setpriv', '--bounding-set', '-mknod']);
    try {
      assert.equal(sandbox.facts.isRootless, false);
      assert.ok(sandbox.facts.missing.includes('private-devices'), String(sandbox.facts.missing));
      const argv = ['/bin/sh', '-c', 'ls /dev; echo x > /dev/null; head -c 4 /dev/zero | wc -c; cat /proc/interrupts'];
      const { text } = await outputOf(
        sandbox,
        launchSpec(argv, { profile: 'command', directory: '/environment/workspace' }),
      );
      assert.equal(text, 'fd\nfull\nnull\nrandom\nshm\nstderr\nstdin\nstdout\nurandom\nzero\n4\n');
    } finally {
      await end(sandbox, child);
    }
  });
}

async function outputOf(sandbox: Sandbox, spec: LaunchSpec): Promise<{ text: string; report: LaunchReport }> {
  const said = new OutputBuffer();
  const listener = { stdout: said.append.bind(said), stderr: said.append.bind(said) };
  const report = await sandbox.launch(spec, listener).report;
  return { text: said.bytes().toString(), report };
}

const own = process.getuid?.() ?? 0;

function asOrdinaryUser(): void {
  let launcher: RealLauncher;
  before(async () => {
    launcher = await RealLauncher.start('rootless');
  });
  after(() => launcher.stop());
  const shell = (script: string, changes: Partial<LaunchSpec> = {}) =>
    outputOf(launcher.sandbox, launchSpec(['/bin/sh', '-c', script], { layers: ['base'], ...changes }));

  test('it says that it is rootless, and what is missing with subordinate ids', () => {
    const { facts } = launcher.sandbox;
    assert.equal(facts.isRootless, true);
    assert.equal(facts.cgroup, 'v2');
    for (const name of ['private-ids', 'private-quotas', 'private-devices']) assert.ok(facts.missing.includes(name));
    for (const name of ['subordinate-ids', 'groups']) assert.equal(facts.missing.includes(name), false);
    assert.equal(describeMissing(facts.missing).filter((line) => !line.includes('Remedy: ')).length, 0);
  });

  test('a program is 1000 inside, has none of the user’s ids outside and reaches none of his files', async () => {
    const file = join(folder, 'mine');
    writeFileSync(file, 'secret');
    chmodSync(folder, 0o755);
    const { text } = await shell(`id; cat ${file}`);
    assert.match(text, /^uid=1000.* gid=1000[^,]*\n/);
    assert.equal(text.includes('secret'), false);
    const running = launcher.sandbox.launch(launchSpec(['/bin/sleep', '61.25'], { layers: ['base'] }));
    try {
      const id = await hostIdOf(['/bin/sleep', '61.25', ''].join('\0'));
      assert.notEqual(id, own);
      assert.ok(id > 65_535);
    } finally {
      running.kill();
      await running.report;
    }
  });

  test('layers on disk and layers in memory show the owners that they were given inside', async () => {
    const { sandbox } = launcher;
    await sandbox.store.create('owned-new');
    const give = ['/bin/sh', '-c', 'mkdir /target/made && chown 1234:65534 /target/made'];
    const tools = { target: 'owned-new', directory: '/', limits: limitDefaults.build };
    const unpacked = await outputOf(sandbox, launchSpec(give, { ...tools, profile: 'host' }));
    assert.equal(unpacked.report.exitCode, 0, unpacked.text);
    await sandbox.store.commit('owned-new', 'owned');
    const build = ['/bin/sh', '-c', 'id -u > /built && touch /made/by-root'];
    const inside = { isKept: true, limits: limitDefaults.build, layers: ['base', 'owned'] };
    const built = sandbox.launch(launchSpec(build, { ...inside, profile: 'build', directory: '/environment' }));
    assert.equal((await built.report).exitCode, 0);
    const { text } = await shell(
      'cat /built; ls -ldn /made /made/by-root /built; touch /usr/x; touch mine; ls -n mine',
      {
        layers: ['base', 'owned'],
        kept: [built.kept],
      },
    );
    assert.match(
      text,
      /^0\n.* 0 +0 .*\/built\n.* 1234 +65534 .*made\n.* 0 +0 .*by-root\ntouch: .*\n.* 1000 +1000 .* mine\n$/,
    );
    sandbox.release(built.kept);
  });

  test('a build’s proxy runs as the user without any capability, and a bootstrap may mount in its own namespace', async () => {
    const command = '/usr/bin/grep -E ^(Uid|CapEff|CapBnd|NoNewPrivs|Groups): /proc/self/status';
    const { sandbox, child } = await startOwn('proxy', [], ['--egress-command', command]);
    try {
      const egress = new OutputBuffer();
      const tools = { directory: '/', limits: limitDefaults.build, profile: 'bootstrap' } as const;
      const script =
        'mount -t tmpfs x /tmp && mkdir /tmp/a && chown 7:8 /tmp/a && stat -c "%u %g" /tmp/a && chroot / id -u';
      const spec = launchSpec(['/bin/sh', '-c', script], { ...tools, egress: Buffer.from('{}') });
      const said = new OutputBuffer();
      const [stdout, network] = [said.append.bind(said), egress.append.bind(egress)];
      const report = await sandbox.launch(spec, { stdout, stderr: stdout, network }).report;
      assert.deepEqual([report.exitCode, said.bytes().toString()], [0, '7 8\n0\n'], JSON.stringify(report.failure));
      const none = '0000000000000000';
      assert.match(
        egress.bytes().toString(),
        new RegExp(`^Uid:\\t0\\t.*\\nGroups:\\t ?\\nCapEff:\\t${none}\\nCapBnd:\\t${none}\\nNoNewPrivs:\\t1\\n$`),
      );
    } finally {
      await end(sandbox, child);
    }
  });

  test('without subordinate ids commands run, builds are refused with the remedy, and process 1 is out of reach', async () => {
    // Programs that get no rights by execution include newuidmap: then the user has no subordinate ids.
    const { sandbox, child } = await startOwn('one-id', ['setpriv', '--no-new-privs']);
    try {
      const { facts } = sandbox;
      for (const name of ['subordinate-ids', 'groups']) assert.ok(facts.missing.includes(name), String(facts.missing));
      const command = (script: string) =>
        outputOf(
          sandbox,
          launchSpec(['/bin/sh', '-c', script], { profile: 'command', directory: '/environment/workspace' }),
        );
      const said = await command('id -u; echo written > file; cat file; cat /proc/self/uid_map; ls /dev');
      assert.match(said.text, /^1000\nwritten\n\s+1000\s+0\s+1\nfd\nfull\n/, JSON.stringify(said.report));
      const touched = await command(
        'prlimit --pid 1 --nofile=3; renice -n 9 -p 1; taskset -p 1 1; chrt --idle --pid 0 1; kill -9 1; ls -d /proc/1; echo alive',
      );
      assert.match(touched.text, /\nalive\n$/);
      assert.equal(touched.text.match(/Operation not permitted/g)?.length, 4, touched.text);
      assert.match(touched.text, /cannot access '\/proc\/1'/);
      const spec = launchSpec(['/bin/true'], { profile: 'host', directory: '/', limits: limitDefaults.build });
      const { report } = await outputOf(sandbox, spec);
      assert.deepEqual([report.end, report.failure], ['setup-failed', { step: 'ids', errno: 'EOPNOTSUPP' }]);
      assert.match(toLaunchSentence(report), /ids could not be set up: it needs 65,536 ids.*uidmap/);
    } finally {
      await end(sandbox, child);
    }
  });
}

/** A second launcher of this user. */
async function startOwn(name: string, before: readonly string[], more: readonly string[] = []): Promise<Started> {
  const socketPath = join(folder, `${name}.sock`);
  const place = ['--socket', socketPath, '--store', join(folder, name), '--cgroup', `${name}-${process.pid}`];
  const [command = binary, ...words] = [...before, binary, ...place, ...more];
  const child = spawn(command, words, { stdio: ['ignore', 'ignore', 'pipe'] });
  for await (const line of child.stderr) if (String(line).includes('launcher started')) break;
  return { sandbox: await connectLauncher({ socketPath }), child };
}

async function end(sandbox: Sandbox, child: ChildProcess): Promise<void> {
  await sandbox.close();
  child.kill('SIGTERM');
  await once(child, 'exit');
}

/** The real user id of the process with this command line, once it is there. */
async function hostIdOf(commandLine: string): Promise<number> {
  for (let tries = 0; tries < 200; tries++) {
    for (const name of readdirSync('/proc').filter((each) => /^\d+$/.test(each))) {
      if (read(`/proc/${name}/cmdline`) !== commandLine) continue;
      const id = /^Uid:\t(\d+)/m.exec(read(`/proc/${name}/status`))?.[1];
      if (id !== undefined) return Number(id);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`no process ${commandLine}`);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // it ended while we looked
  }
}

if (own === 0) asRoot();
else asOrdinaryUser();
