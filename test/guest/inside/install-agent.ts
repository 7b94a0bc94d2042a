/**
 * Owns what ops/install-agent promises, on a machine that systemd has started: each test goes on where the one before it stopped.
 * Never run on a machine that matters: only inside the guest of test/guest/boot --systemd.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import {
  ask,
  coordinatorUrl,
  install,
  look,
  PORT,
  serveByTls,
  serveReleases,
  shell,
  startCoordinator,
  tokenFile,
} from '../../support/installed-machine.ts';

const archive = (version: string) => `/outgoing/envicutor-${version}-linux-x64.tar.gz`;
const room = ['--layer-bytes', '268435456'];
const wanted = async (version: string, ...more: string[]) => [
  ...['install', '--release', archive(version), '--coordinator', coordinatorUrl, ...room],
  ...['--token-file', await tokenFile(), ...more],
];
const keyed = ['--key-file', '/srv/key'];
const current = () => readlinkSync('/opt/envicutor/current').split('/').at(-1);
const agents = async () => (await ask('GET', '/v1/agents')).items as { id: string; state: string }[];

const signed = ['--release-key', '/outgoing/release-key.pub'];
const byUrl = (version: string, from: { readonly url: string } = site) => [
  '--release',
  `${from.url}/envicutor-${version}-linux-x64.tar.gz`,
];

/** Two settings of the kernel that a contest wants otherwise. */
const loud = { '/proc/sys/kernel/core_pattern': '|/bin/false', '/proc/sys/fs/protected_hardlinks': '0' };
const quiet = { '/proc/sys/kernel/core_pattern': 'core', '/proc/sys/fs/protected_hardlinks': '1' };
const found = () => Object.fromEntries(Object.keys(loud).map((path) => [path, readFileSync(path, 'utf8').trim()]));
const contestUnit = () => /preflight/.test(readFileSync('/etc/systemd/system/envicutor-launcher.service', 'utf8'));

let site: Awaited<ReturnType<typeof serveReleases>>;
let behindTls: Awaited<ReturnType<typeof serveByTls>>;
let siteByTls: Awaited<ReturnType<typeof serveByTls>>;
/** The machine as it was before anything. */
let fresh: string[] = [];
let coordinator: Awaited<ReturnType<typeof startCoordinator>>;

before(async () => {
  coordinator = await startCoordinator(archive('1.0.0'));
  await writeFile('/srv/key', 'a key; this coordinator listens on loopback and asks for none\n');
  site = await serveReleases(7073);
  behindTls = await serveByTls(7074, PORT);
  siteByTls = await serveByTls(7075, 7073);
  fresh = look();
});
after(async () => {
  await coordinator.stop(); // first: it would keep the guest up, if the others never came to be
  site.stop();
  behindTls.stop();
  siteByTls.stop();
});

/** Runs what must be refused, with a sentence that fits, and change nothing of what was `seen`. */
async function isRefused(
  code: number,
  sentence: RegExp,
  run: Parameters<typeof install>,
  seen: readonly string[] = fresh,
): Promise<void> {
  const { code: given, said } = await install(...run);
  assert.match(said, sentence);
  assert.equal(given, code, said);
  const last = said
    .trimEnd()
    .split('\n')
    .filter((line) => sentence.test(line));
  assert.equal(last.length, 1, `one sentence: ${said}`);
  assert.deepEqual(look(), seen);
}

test('a dry run says every step and changes nothing', async () => {
  const { code, said } = await install(await wanted('1.0.0', '--dry-run'));
  assert.equal(code, 0, said);
  for (const step of ['unpack', 'system user', 'agent.env', 'envicutor-launcher.service', 'start launcher and agent'])
    assert.match(said, new RegExp(`would .*${step}`));
  assert.deepEqual(look(), fresh);
});

test('what a machine lacks is one sentence, and nothing was changed', async () => {
  const args = await wanted('1.0.0');
  const hidden = (command: string) => ({ within: ['unshare', '--mount', 'sh', '-ec', `${command}; exec "$@"`, '-'] });
  await isRefused(78, /systemd does not run this machine: boot it/, [args, hidden('mount -t tmpfs none /run/systemd')]);
  await isRefused(78, /no cgroup controller cpu cpuacct memory pids: boot/, [
    args,
    hidden('mount -t tmpfs none /sys/fs/cgroup'),
  ]);
  await isRefused(78, /can't be written \(a read-only file system\?\).*mount it writable/, [
    args,
    hidden('mount -o remount,bind,ro /'),
  ]);
  await isRefused(78, /MiB for layers, and .* are needed .*--layer-bytes/, [[...args, '--layer-bytes', '21474836480']]);
});

test('a release that is not the pinned one, or not a release, is refused', async () => {
  const args = await wanted('1.0.0');
  await isRefused(78, /has the digest [0-9a-f]{64}, not 0{64}: fetch it again/, [
    [...args, '--sha256', '0'.repeat(64)],
  ]);
  await writeFile('/srv/none.tar.gz', 'nothing');
  const digest = shell('sha256sum </srv/none.tar.gz').slice(0, 64);
  await isRefused(78, /is no release/, [[...args, '--release', '/srv/none.tar.gz', '--sha256', digest]]);
});

test('a release from elsewhere, or that another key has signed, is refused', async () => {
  const args = await wanted('1.0.0');
  const elsewhere = `${site.url}/envicutor-9.9.9-linux-x64.tar.gz`;
  await isRefused(78, /9\.9\.9-linux-x64\.tar\.gz could not be fetched/, [[...args, '--release', elsewhere]]);
  const other = ['--release-key', '/outgoing/other-key.pub'];
  await isRefused(78, /SHA256SUMS is not signed by \/outgoing\/other-key\.pub/, [[...args, ...other]]);
  await isRefused(78, /SHA256SUMS is not signed by \/outgoing\/other-key\.pub/, [
    [...args, ...byUrl('1.0.0'), ...other],
  ]);
});

test('a coordinator whose certificate is from nobody known is refused', async () => {
  await isRefused(78, /the coordinator can't be reached: .*; check --coordinator, --ca/, [
    [...(await wanted('1.0.0')), '--coordinator', behindTls.url],
  ]);
});

test('a clock that is off by an hour is refused', async () => {
  const server = createServer((_request, response) => {
    response.setHeader('date', new Date(Date.now() - 3_600_000).toUTCString());
    response.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(7071, '127.0.0.1', resolve));
  const args = [...(await wanted('1.0.0')), '--coordinator', 'http://127.0.0.1:7071'];
  await isRefused(78, /clock is 3[56]\d\d s ahead of the coordinator's: set it/, [args]);
  server.close();
});

test('a setting that the agent can not work with is refused by its own sentence', async () => {
  await isRefused(78, /can't work with these settings: .*ENVICUTOR_AGENT_SLOTS/, [
    await wanted('1.0.0', '--slots', 'many'),
  ]);
});

test('a wrong token is one sentence, and nothing is left half done', async () => {
  await isRefused(1, /refuses this agent: the enrolment token is not known.*ask for a new one/, [
    [...(await wanted('1.0.0')), '--token', 'enrol_wrong'],
  ]);
});

test('a run that is killed half way is undone by the next one', async () => {
  const killed = await install(await wanted('1.0.0'), { killAt: 'start at boot' });
  assert.equal(killed.code, null, killed.said);
  assert.notDeepEqual(look(), fresh);
  const { code, said } = await install(['uninstall']);
  assert.equal(code, 0, said);
  assert.match(said, /undo what an earlier run left half done/);
  assert.deepEqual(look(), fresh);
});

test('one command installs an agent, which the coordinator sees and which runs its first program', async (context) => {
  const beganMs = performance.now();
  const { code, said } = await install(await wanted('1.0.0', ...keyed));
  context.diagnostic(`${((performance.now() - beganMs) / 1000).toFixed(1)} s until the first program ran`);
  assert.equal(code, 0, said);
  assert.match(said, /it ran: exec_/);
  assert.deepEqual((await agents()).filter(({ state }) => state === 'ready').length, 1);
  assert.equal(shell('stat -c %a:%U /etc/envicutor/agent.env').trim(), '600:root');
  assert.equal(shell('ls /var/lib/envicutor-agent/agent').includes('enrolment-token'), false, 'a used token goes');
});

test('the agent has no rights of root, and may write in its own folder only', () => {
  const pid = shell('systemctl show --property=MainPID --value envicutor-agent').trim();
  const status = shell(`cat /proc/${pid}/status`);
  for (const field of ['CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
    assert.match(status, new RegExp(`${field}:\\s+0{16}\n`));
  assert.match(status, /NoNewPrivs:\s+1/);
  assert.match(status, /Seccomp:\s+2/);
  assert.match(
    shell(`nsenter -t ${pid} -m findmnt -no OPTIONS /usr || nsenter -t ${pid} -m findmnt -no OPTIONS /`),
    /\bro\b/,
  );
  assert.match(shell('systemctl show --property=Delegate --value envicutor-launcher'), /yes/);
  assert.match(
    shell('find /sys/fs/cgroup -path "*envicutor-launcher.service/envicutor-agent" -type d'),
    /envicutor-agent/,
  );
});

test('the same command again changes nothing', async () => {
  const seen = look();
  const { code, said } = await install(await wanted('1.0.0'));
  assert.equal(code, 0, said);
  assert.match(said, /nothing was changed/);
  assert.deepEqual(look(), seen);
});

test('with --contest the machine is set up for measuring while the launcher runs', async () => {
  for (const [path, value] of Object.entries(loud)) writeFileSync(path, value);
  const { code, said } = await install(await wanted('1.0.0', '--contest'));
  assert.equal(code, 0, said);
  assert.deepEqual(found(), quiet);
  assert.match((await install(await wanted('1.0.0', '--contest'))).said, /nothing was changed/);
  shell('systemctl stop envicutor-launcher');
  assert.deepEqual(found(), loud);
  shell('systemctl start envicutor-launcher envicutor-agent');
  assert.deepEqual(found(), quiet);
});

test('an upgrade from a URL, by a signed release, runs a program, and a contest goes on', async () => {
  const { code, said } = await install(['upgrade', ...byUrl('1.1.0'), ...signed, ...keyed]);
  assert.equal(code, 0, said);
  assert.deepEqual([found(), contestUnit()], [quiet, true]);
  assert.match(said, /drain the agent[\s\S]*it ran: exec_/);
  assert.equal(current(), '1.1.0');
});

test('an older release is refused', async () => {
  await isRefused(
    78,
    /1\.0\.0 is older than 1\.1\.0, which is here/,
    [['upgrade', '--release', archive('1.0.0')]],
    look(),
  );
});

test('an upgrade that does not come up goes back by itself', async () => {
  const { code, said } = await install(['upgrade', '--release', archive('1.2.0'), ...keyed]);
  assert.equal(code, 1, said);
  assert.match(said, /envicutor-agent ended: broken/);
  assert.match(said, /undone: 1\.1\.0 runs again/);
  assert.equal(current(), '1.1.0');
  assert.deepEqual(shell('ls -A /opt/envicutor/releases').split('\n'), ['1.0.0', '1.1.0', '']);
  assert.equal((await agents()).at(-1)?.state, 'ready');
  assert.deepEqual([found(), contestUnit()], [quiet, true]);
});

test('a rollback runs the release before, and drains: what runs ends well first', async () => {
  const request = { environment: { base: 'debian-13' }, run: { script: 'sleep 8; echo done' } };
  const { id } = await ask('POST', '/v1/executions', request);
  for (let stage = ''; stage !== 'running'; ) ({ stage } = await ask('GET', `/v1/executions/${id}`));
  const { code, said } = await install(['rollback', ...keyed]);
  assert.equal(code, 0, said);
  assert.equal(current(), '1.0.0');
  assert.equal((await agents()).at(-1)?.state, 'ready');
  const { verdict, attempts, run } = await ask('GET', `/v1/executions/${id}`);
  assert.deepEqual({ verdict, attempts, stdout: run?.stdout }, { verdict: 'ok', attempts: 1, stdout: 'done\n' });
  assert.deepEqual([found(), contestUnit()], [quiet, true]);
});

test('an install without --contest puts back what was changed for it', async () => {
  const { code, said } = await install(await wanted('1.0.0'));
  assert.equal(code, 0, said);
  assert.deepEqual([found(), contestUnit()], [loud, false]);
  assert.equal(existsSync('/var/lib/envicutor-agent/contest'), false);
});

test('an uninstall leaves nothing: files, users, units, cgroups are what they were', async () => {
  const { code, said } = await install(['uninstall']);
  assert.equal(code, 0, said);
  assert.deepEqual(look(), fresh);
});

test('by TLS of an authority of the site, for a contest; an uninstall puts everything back, and retires the agent', async () => {
  const before = new Set((await agents()).map(({ id }) => id));
  const more = ['--coordinator', behindTls.url, '--ca', '/outgoing/ca.pem', '--contest'];
  const { code, said } = await install([...(await wanted('1.0.0')), ...byUrl('1.0.0'), ...signed, ...more, ...keyed]);
  assert.equal(code, 0, said);
  assert.match(said, /it ran: exec_/);
  assert.deepEqual(found(), quiet);
  const id = (await agents()).find((agent) => !before.has(agent.id))?.id;
  const upgraded = await install(['upgrade', ...byUrl('1.1.0', siteByTls), ...keyed]);
  assert.equal(upgraded.code, 0, upgraded.said);
  const { code: ended, said: last } = await install(['uninstall', ...keyed]);
  assert.equal(ended, 0, last);
  assert.match(last, new RegExp(`have the coordinator retire ${id}`));
  assert.doesNotMatch(last, /could not be retired|goes on listing/);
  assert.deepEqual(found(), loud);
  assert.deepEqual(look(), fresh);
});
