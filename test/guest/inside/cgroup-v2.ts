/**
 * Owns the proof of what only a unified cgroup can show: what the launcher writes into its tree, whom it keeps out of inner nodes,
 * what it says on a host that can't enforce a limit. Runs in the guest only: it looks at the guest's own cgroup tree.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { LaunchReport, LaunchSpec } from '../../../shared/sandbox/sandbox.ts';
import { delegatedCgroup } from '../../support/guest.ts';
import { launchSpec, runLimits } from '../../support/launch-spec.ts';
import { RealLauncher } from '../../support/real-launcher.ts';

const name = 'envicutor-unified';
const isRoot = process.getuid?.() === 0;

let launcher: RealLauncher;
let parent: string;
before(async () => {
  launcher = await RealLauncher.start(name);
  parent = join(delegatedCgroup(), `envicutor-${name}-${process.pid}`);
});
after(async () => {
  await launcher.stop();
  assert.ok(!existsSync(parent), 'the launcher left its directory behind');
});

const shell = (script: string): LaunchSpec => launchSpec(['/bin/sh', '-c', script], { layers: ['base'] });
const read = (...path: string[]): string => readFileSync(join(parent, ...path), 'utf8').trim();
/** User-mode Linux has no cpuset. */
const canPin = (): boolean => !launcher.sandbox.facts.missing.includes('cpuset');
const leaves = (): string[] => readdirSync(parent).filter((entry) => /^s\d+$/.test(entry));
const members = (leaf: string): string[] => read(leaf, 'cgroup.procs').split('\n').filter(Boolean);
const commandOf = (id: string): string => readFileSync(`/proc/${id}/cmdline`, 'utf8').split('\0').join(' ').trim();
const counter = (text: string, key: string): number => Number(new RegExp(`^${key} (\\d+)$`, 'm').exec(text)?.[1]);

/** What the members of a leaf execute, once each executes something: between its fork and its exec a process has no command line. */
function commandsIn(leaf: string): string[] {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const commands = members(leaf).map(commandOf);
    if (commands.every((command) => command !== '') || performance.now() > deadline) return commands;
  }
}

/** Runs this, and calls `look` with the name of its leaf once it is running. */
async function during(spec: LaunchSpec, look: (leaf: string) => void): Promise<LaunchReport> {
  const said = Promise.withResolvers<void>();
  const launch = launcher.sandbox.launch(spec, { stdout: () => said.resolve() });
  await Promise.race([said.promise, launch.report]);
  try {
    const leaf = leaves().find((entry) => members(entry).some((id) => commandOf(id).includes('4711')));
    assert.ok(leaf, 'no leaf holds the program');
    look(leaf);
  } finally {
    launch.kill();
  }
  return await launch.report;
}

test("a sandbox's leaf holds every limit before its program runs", async () => {
  const limits = { ...runLimits, memoryBytes: 50 << 20, processes: 17 };
  await during({ ...shell('echo on; sleep 4711; :'), limits, cpuShares: 2048 }, (leaf) => {
    const files = ['memory.max', 'memory.swap.max', 'memory.oom.group', 'pids.max', 'cpu.weight'];
    const values = files
      .filter((file) => existsSync(join(parent, leaf, file)))
      .map((file) => `${file} ${read(leaf, file)}`);
    const expected = [
      'memory.max 52428800',
      'memory.swap.max 0',
      'memory.oom.group 1',
      'pids.max 17',
      'cpu.weight 200',
    ];
    assert.deepEqual(values, expected);
  });
});

test('a leaf holds the program alone, and no inner node holds anybody', async () => {
  await during(shell('sleep 4711 & echo on; wait'), (leaf) => {
    const commands = commandsIn(leaf);
    assert.deepEqual(commands.length, 2, commands.join(', '));
    assert.ok(
      commands.every((command) => /^(\/bin\/sh|sleep) /.test(command)),
      commands.join(', '),
    );
    assert.equal(read('cgroup.procs'), '');
    assert.deepEqual(
      read('cgroup.subtree_control').split(' ').sort(),
      canPin() ? ['cpu', 'cpuset', 'memory', 'pids'] : ['cpu', 'memory', 'pids'],
    );
  });
});

test("the report's figures are the leaf's own counters", async () => {
  const program =
    'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; head -c 8000000 /dev/zero | tail -c 8000000 | wc -c; sleep 4711 & sleep 4711 & wait';
  const own = { memoryPeak: 0, processesPeak: 0, cpuMs: 0 };
  const report = await during(shell(program), (leaf) => {
    own.memoryPeak = Number(read(leaf, 'memory.peak'));
    own.processesPeak = Number(read(leaf, 'pids.peak'));
    own.cpuMs = counter(read(leaf, 'cpu.stat'), 'usage_usec') / 1000;
  });
  assert.ok(own.memoryPeak > 8_000_000 && report.memoryPeakBytes >= own.memoryPeak, `${report.memoryPeakBytes}`);
  assert.ok(report.processesPeak >= own.processesPeak && own.processesPeak === 4, `${own.processesPeak}`);
  assert.ok(own.cpuMs > 5 && report.cpuTimeMs > own.cpuMs / 2, `${report.cpuTimeMs} of ${own.cpuMs}`);
});

test('when memory runs out the whole sandbox dies at once, and only it', async () => {
  const bystander = launcher.sandbox.launch(shell('sleep 2; echo alive'));
  const eater = shell('sleep 4711 & (tail /dev/zero); echo survived');
  let said = '';
  const report = await launcher.sandbox.launch(
    { ...eater, limits: { ...runLimits, memoryBytes: 24 << 20 } },
    {
      stdout: (chunk) => {
        said += Buffer.from(chunk).toString();
      },
    },
  ).report;
  assert.deepEqual([report.exceeded?.limit, said], ['memoryBytes', '']);
  // The eater, its shell and whoever else is in its group; on several processors some of them are gone before the kernel counts them.
  assert.ok(report.oomKills >= (availableParallelism() === 1 ? 3 : 1), String(report.oomKills));
  assert.equal((await bystander.report).exitCode, 0);
});

test('leaves go away behind the runs, also those of many at once', async () => {
  const spec = shell('sleep 4711 & sleep 4711 & exit 3');
  const reports = await Promise.all(Array.from({ length: 12 }, () => launcher.sandbox.launch(spec).report));
  assert.ok(reports.every(({ exitCode }) => exitCode === 3));
  for (let tries = 0; leaves().length > 6 && tries < 3000; tries++) await wait(10);
  assert.ok(leaves().length <= 6, leaves().join(' '));
});

test('chosen processors are those of the leaf; without a cpuset they are refused before anything runs', async () => {
  if (canPin()) {
    await during({ ...shell('echo on; sleep 4711; :'), cpus: '0' }, (leaf) => {
      assert.equal(read(leaf, 'cpuset.cpus'), '0');
    });
    return;
  }
  const report = await launcher.sandbox.launch({ ...shell('echo on'), cpus: '0' }).report;
  assert.deepEqual([report.end, report.failure?.step, report.stdoutBytes], ['setup-failed', 'cgroup', 0]);
});

/** Starts another launcher that ends at once, and resolves to its exit code and words. */
async function refused(words: readonly string[], script = 'exec "$@"'): Promise<[number, string]> {
  const binary = new URL('../../../shared/sandbox/launcher/build/envicutor-launcher', import.meta.url).pathname;
  const place = ['--socket', join(launcher.folder, 'other.sock'), '--store', join(launcher.folder, 'other-store')];
  const child = spawn('sh', ['-c', script, 'sh', binary, ...place, ...words], { stdio: ['ignore', 'ignore', 'pipe'] });
  const [said, [exitCode]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  return [Number(exitCode), said];
}

test('a directory without controllers is refused with the remedy', {
  skip: !isRoot && 'an ordinary user has no such directory',
}, async () => {
  const bare = '/sys/fs/cgroup/bare';
  mkdirSync(join(bare, 'below'), { recursive: true });
  const [exitCode, said] = await refused(['--cgroup', 'bare', '--cgroup-path', join(bare, 'below')]);
  assert.equal(exitCode, 78);
  assert.match(said, /controller "memory" can't be enabled.*Delegate=yes/);
  rmdirSync(join(bare, 'below'));
  rmdirSync(bare);
});

test('a second launcher of the same name is refused', async () => {
  const [exitCode, said] = await refused(['--cgroup', `${name}-${process.pid}`]);
  assert.deepEqual([exitCode, /another launcher uses this cgroup name/.test(said)], [78, true], said);
});

test('started as a service with a delegated group, the launcher makes room in a leaf of its own', {
  skip: !isRoot && 'the whole run is that case',
}, async () => {
  const service = '/sys/fs/cgroup/service';
  mkdirSync(service, { recursive: true });
  // Only the launcher is ever in the group, as with a service manager: whoever else is there keeps it from handing controllers on.
  const enter = `echo 0 > ${service}/cgroup.procs; exec "$@"`;
  const look = `cat /proc/$!/cgroup ${service}/cgroup.subtree_control >&2`;
  const controllers = canPin() ? 'cpuset cpu memory pids' : 'cpu memory pids';
  // Or when it has ended.
  const isReady = `grep --quiet --line-regexp '${controllers}' ${service}/cgroup.subtree_control`;
  const ready = `until ${isReady} || ! kill -0 $!; do sleep 0.05; done`;
  const script = `sh -c '${enter}' sh "$@" & ${ready}; ${look}; kill $!; wait $!`;
  const [, said] = await refused(['--cgroup', 'service'], script);
  assert.match(said, /^0::\/service\/launcher-service$/m);
  assert.ok(said.split('\n').includes(controllers), said);
  assert.ok(!existsSync(join(service, 'envicutor-service')), 'its directory is left');
  writeFileSync(join(service, 'cgroup.subtree_control'), `-cpu -memory -pids${canPin() ? ' -cpuset' : ''}`);
});
