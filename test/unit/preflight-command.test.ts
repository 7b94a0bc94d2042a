/**
 * Owns the proof of what `preflight` says and ends with: every requirement of an agent, good, bad and unknown; its lines, its JSON, its exit codes.
 * Never looks at this machine, nor for a launcher or coordinator: both are made up.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { AgentConfig, CONFIG_PREFIX } from '../../agent/config.ts';
import { agentRequirements } from '../../agent/preflight/agent-requirements.ts';
import { type PreflightWorld, runPreflight } from '../../agent/preflight/command.ts';
import { contestRequirements } from '../../agent/preflight/contest-requirements.ts';
import { machineAt } from '../../agent/preflight/machine.ts';
import { ChangeRow, RequirementRow } from '../../agent/preflight/report.ts';
import { startRequirements } from '../../agent/preflight/start-requirements.ts';
import { systemClock } from '../../shared/clock.ts';
import { readConfig } from '../../shared/config.ts';
import { SystemError } from '../../shared/errors.ts';
import type { Sandbox, SandboxFacts } from '../../shared/sandbox/sandbox.ts';
import { fakeMachine, type MachineFiles } from '../support/faked-machine.ts';

const facts: SandboxFacts = {
  ...{
    cgroup: 'v2',
    cores: 4,
    memoryBytes: 1,
    kernel: '6.12.1-amd64',
    release: '1.2.3',
    isRootless: false,
    missing: [],
  },
};
const clock = {
  ...{ ...systemClock, nowMs: () => 1_700_000_000_000 },
  // Nothing happens on a made-up machine while it is looked at.
  after: (_: number, action: () => void) => systemClock.after(0, action),
};

interface Circumstances {
  readonly files?: MachineFiles;
  readonly facts?: Partial<SandboxFacts>;
  readonly settings?: object;
  readonly world?: (root: string) => Partial<PreflightWorld>;
}

/** Runs the command on a made-up machine. */
async function run(context: TestContext, args: readonly string[], circumstances: Circumstances = {}) {
  const { root, machine } = fakeMachine(circumstances.files ?? {}, (end) => context.after(end));
  const loaded = readConfig(AgentConfig, CONFIG_PREFIX, {});
  assert.ok('values' in loaded);
  const stateDirectory = join(root, 'state');
  mkdirSync(stateDirectory);
  const room = { freeBytes: 30 * 1024 ** 3, totalBytes: 60 * 1024 ** 3 };
  const closed: string[] = [];
  const sandbox: Partial<Sandbox> = {
    facts: { ...facts, ...circumstances.facts },
    launch: () => ({ report: Promise.resolve({ end: 'exited', failure: null }) }) as never,
    close: async () => void closed.push('closed'),
  };
  const said: string[] = [];
  const complained: string[] = [];
  const settings = {
    ...{ ...loaded.values, stateDirectory, contestDirectory: join(root, 'record') },
    ...{ slots: 2, slotCpus: '0;1', ...circumstances.settings },
  };
  const code = await runPreflight(args, {
    ...{ machine: { ...machine, room: () => room }, clock, settings, flaws: [] },
    connect: async () => sandbox as Sandbox,
    ask: async () => ({ dateMs: clock.nowMs() - 700, nowMs: clock.nowMs() }),
    say: (text) => void said.push(text),
    complain: (text) => void complained.push(text),
    ...circumstances.world?.(root),
  });
  return { code, said: said.join(''), complained: complained.join(''), closed, root };
}

async function rowsOf(context: TestContext, args: readonly string[], circumstances: Circumstances = {}) {
  const { code, said } = await run(context, [...args, '--json'], circumstances);
  const rows: unknown = JSON.parse(said);
  assert.ok(
    Value.Check(Type.Array(RequirementRow), rows),
    JSON.stringify(Value.Errors(Type.Array(RequirementRow), rows).First()),
  );
  return { code, rows, row: (id: string) => rows.find((each) => each.id === id) };
}

const small = { freeBytes: 1024 ** 3 - 1, totalBytes: 2 * 1024 ** 3 };

/** For each requirement what makes it wrong, and what hides it. */
const cases: Readonly<Record<string, { bad: Circumstances; found: RegExp; hidden?: Circumstances }>> = {
  'state-directory': { bad: { settings: { stateDirectory: '/proc/none' } }, found: /ENOENT at \/proc\/none/ },
  'disk-free': { bad: withRoom(small), found: /^1\.0 GiB$/, hidden: withRoom(null) },
  'user-namespaces': {
    bad: { files: { '/proc/sys/user/max_user_namespaces': '0\n' } },
    ...{ found: /^0$/, hidden: { files: { '/proc/sys/user/max_user_namespaces': null } } },
  },
  launcher: { bad: withoutLauncher(), found: /nobody is there/ },
  kernel: {
    bad: { facts: { kernel: '6.5.9' } },
    ...{ found: /^6\.5\.9$/, hidden: { ...withoutLauncher(), files: { '/proc/sys/kernel/osrelease': null } } },
  },
  cgroups: { bad: { facts: { cgroup: 'none' } }, found: /^none$/, hidden: withoutLauncher() },
  'slot-cpus': { bad: { settings: { slotCpus: '0;0' } }, found: /^0;0$/, hidden: withoutLauncher() },
  'sandbox-features': { bad: { facts: { missing: ['cpuset'] } }, found: /without cpuset/, hidden: withoutLauncher() },
  'slot-memory': {
    bad: { files: { '/proc/meminfo': 'MemTotal:       1048576 kB\n' } },
    ...{ found: /^396 MiB for each of 2$/, hidden: { files: { '/proc/meminfo': null } } },
  },
  'disk-layers': { bad: withRoom(small), found: /^2048 MiB$/, hidden: withRoom(null) },
  'open-files': {
    bad: {
      files: { '/proc/self/limits': 'Max open files            1024                 4096                 files\n' },
    },
    ...{ found: /^4096$/, hidden: { files: { '/proc/self/limits': null } } },
  },
  coordinator: { bad: { world: () => ({ ask: async () => ({ failure: 'ECONNREFUSED' }) }) }, found: /ECONNREFUSED/ },
  clock: {
    bad: { world: () => ({ ask: async () => ({ dateMs: clock.nowMs() - 60_500, nowMs: clock.nowMs() }) }) },
    ...{ found: /^60\.0 s beside/, hidden: { world: () => ({ ask: async () => ({ failure: 'ECONNREFUSED' }) }) } },
  },
};

function withRoom(room: typeof small | null): Circumstances {
  return { world: (root) => ({ machine: { ...machineAt(root), room: () => room } }) };
}

function withoutLauncher(): Circumstances {
  const connect = () => Promise.reject(new SystemError('launcher-unavailable', 'nobody is there'));
  return { world: () => ({ connect }) };
}

test('every requirement of an agent has a bad machine', () => {
  const ids = [...startRequirements, ...agentRequirements].map(({ id }) => id);
  assert.deepEqual(Object.keys(cases), ids);
});

let good: ReturnType<typeof rowsOf> | null = null;
for (const [id, { bad, found, hidden }] of Object.entries(cases)) {
  test(`${id} is wrong on a bad machine, ok on a good one, and unknown where nobody tells`, async (context) => {
    const wrong = await rowsOf(context, [], bad);
    assert.equal(wrong.row(id)?.state, 'wrong', wrong.row(id)?.found);
    assert.match(wrong.row(id)?.found ?? '', found);
    assert.equal(wrong.code, 1);
    good ??= rowsOf(context, []);
    assert.equal((await good).row(id)?.state, 'ok');
    if (hidden !== undefined) assert.equal((await rowsOf(context, [], hidden)).row(id)?.state, 'unknown');
  });
}

test('more memory than the machine has is not to be offered', async (context) => {
  const { row } = await rowsOf(context, [], { settings: { memoryBytes: 32 * 1024 ** 3 } });
  assert.match(row('slot-memory')?.remedy ?? '', /^lower memoryBytes/);
  assert.equal(row('slot-memory')?.state, 'wrong');
});

test('of several coordinators one that answers will do', async (context) => {
  const ask: PreflightWorld['ask'] = async (url) =>
    url === 'ws://b:1/agents' ? { dateMs: clock.nowMs(), nowMs: clock.nowMs() } : { failure: 'EHOSTUNREACH' };
  const settings = { coordinatorUrl: 'ws://a:1/agents,ws://b:1/agents' };
  const { row, code } = await rowsOf(context, [], { settings, world: () => ({ ask }) });
  assert.deepEqual([row('coordinator')?.found, row('clock')?.state, code], ['ws://b:1/agents', 'ok', 0]);
});

test('settings that can not be are the first row, and nothing of the agent is known; the machine still is', async (context) => {
  const settings = { problems: ['ENVICUTOR_AGENT_SLOTS="x": Expected integer'] };
  const { rows, row, code } = await rowsOf(context, ['--contest'], { world: () => ({ settings }) });
  assert.equal(code, 1);
  assert.deepEqual([rows[0]?.id, rows[0]?.state, rows[0]?.found], ['configuration', 'wrong', settings.problems[0]]);
  assert.deepEqual([row('launcher')?.state, row('swap')?.state], ['unknown', 'ok']);
});

test('a flaw among valid settings is told in their row, and hinders nothing else', async (context) => {
  const world = () => ({ flaws: ["the authority none.pem can't be used"] });
  const { row, code } = await rowsOf(context, [], { world });
  assert.deepEqual([row('configuration')?.state, row('launcher')?.state, code], ['wrong', 'ok', 1]);
  assert.equal((await run(context, ['--undo'], { world })).code, 0);
});

test("a good machine is 0, an agent's rows come alone, and with --contest those of contests follow", async (context) => {
  const alone = await rowsOf(context, []);
  assert.deepEqual([alone.code, alone.rows.length], [0, 1 + startRequirements.length + agentRequirements.length]);
  const pinned = { settings: { slotCpus: '2;3' } };
  const { code, rows } = await rowsOf(context, ['--contest'], pinned);
  assert.deepEqual(
    rows.filter(({ state }) => state !== 'ok'),
    [],
  );
  assert.deepEqual([code, rows.length], [0, alone.rows.length + contestRequirements.length]);
});

test('what is told for comparison only is no reason to end with 1', async (context) => {
  const files = { '/sys/devices/system/cpu/isolated': '\n' };
  const { code, row } = await rowsOf(context, ['--contest'], { settings: { slotCpus: '2;3' }, files });
  assert.deepEqual([row('isolation')?.state, code], ['wrong', 0]);
});

test('lines are aligned, and the remedy stands where something is wrong', async (context) => {
  const files = { '/proc/sys/vm/laptop_mode': '5\n' };
  const { said, closed } = await run(context, ['--contest'], { files, settings: { slotCpus: '2;3' } });
  const lines = said.trimEnd().split('\n');
  const columns = new Set(lines.filter((line) => !line.includes('/')).map((line) => line.indexOf('  needed: ')));
  assert.equal(columns.size, 1, said);
  assert.match(said, /^wrong {4}laptop-mode +5 +needed: vm\.laptop_mode = 0 +remedy: sysctl -w vm\.laptop_mode=0$/m);
  assert.equal(said.match(/remedy:/g)?.length, 1);
  assert.deepEqual(closed, ['closed'], 'the launcher is left again');
});

test('looking makes no folder and changes nothing; only --contest --fix does, and tells it, until --undo', async (context) => {
  const bad = { '/proc/sys/vm/laptop_mode': '5\n' };
  const looked = await run(context, ['--contest'], { files: bad, settings: { stateDirectory: '/nowhere/state' } });
  assert.match(looked.said, /^wrong +state-directory +ENOENT at/m);
  assert.deepEqual([existsSync('/nowhere'), existsSync(join(looked.root, 'record'))], [false, false]);

  const pinned = { files: bad, settings: { slotCpus: '2;3' } };
  const { code, rows, row } = await rowsOf(context, ['--contest', '--fix'], pinned);
  const change = { requirement: 'laptop-mode', path: '/proc/sys/vm/laptop_mode', before: '5', after: '0' };
  assert.deepEqual(row('laptop-mode')?.changes, [{ ...change, outcome: 'changed', detail: '' }]);
  assert.deepEqual([code, rows.length, row('laptop-mode')?.state], [0, contestRequirements.length, 'ok']);

  const { root, said } = await run(context, ['--contest', '--fix'], pinned);
  assert.match(said, /^changed {4}\/proc\/sys\/vm\/laptop_mode {2}5 -> 0$/m);
  const there = { world: () => ({ machine: machineAt(root) }), settings: { contestDirectory: join(root, 'record') } };
  const undone = await run(context, ['--undo', '--json'], there);
  const changes: unknown = JSON.parse(undone.said);
  assert.ok(Value.Check(Type.Array(ChangeRow), changes), undone.said);
  assert.deepEqual([changes, undone.code], [[{ ...change, outcome: 'restored', detail: '' }], 0]);
  assert.equal(machineAt(root).read('/proc/sys/vm/laptop_mode')?.trim(), '5');
  assert.equal((await run(context, ['--undo'], there)).said, 'nothing was recorded\n');
});

test('a record that can not be kept is one sentence and 1, and nothing is changed', async (context) => {
  const settings = { contestDirectory: '/proc/none' };
  const { code, complained, said } = await run(context, ['--contest', '--fix'], { settings });
  assert.deepEqual([code, said], [1, '']);
  assert.match(complained, /^preflight: the record of contest settings can't be kept in \/proc\/none: .*; run as root/);
});

test('arguments that make no sense are 64, said with how it is called', async (context) => {
  for (const args of [['--fix'], ['--undo', '--contest'], ['--undo', '--fix', '--contest'], ['--what'], ['contest']]) {
    const { code, complained, said } = await run(context, args);
    assert.deepEqual([code, said], [64, ''], args.join(' '));
    assert.match(complained, /usage: preflight/);
  }
  const help = await run(context, ['--help']);
  assert.deepEqual([help.code, help.complained], [0, '']);
});
