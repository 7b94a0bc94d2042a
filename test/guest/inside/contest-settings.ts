/**
 * Owns the proof that `preflight --contest --fix` changes a real kernel, and `--undo` puts back exactly that. Runs as root of a guest only: it changes
 * the guest's own settings, as many of them as its kernel has.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

/** What a machine may have that a contest does not want, and what is wanted. */
const settings: Readonly<Record<string, readonly [spoiled: string, wanted: string]>> = {
  '/sys/kernel/mm/transparent_hugepage/enabled': ['always', 'never'],
  '/sys/kernel/mm/transparent_hugepage/defrag': ['always', 'never'],
  '/sys/kernel/mm/transparent_hugepage/khugepaged/defrag': ['1', '0'],
  '/sys/kernel/mm/ksm/run': ['1', '0'],
  '/sys/module/zswap/parameters/enabled': ['Y', 'N'],
  '/proc/sys/kernel/core_pattern': ['|/bin/false', 'core'],
  '/proc/sys/fs/protected_hardlinks': ['0', '1'],
  '/proc/sys/kernel/numa_balancing': ['1', '0'],
  '/proc/sys/kernel/soft_watchdog': ['1', '0'],
  '/proc/sys/kernel/perf_event_paranoid': ['1', '2'],
  '/proc/sys/vm/laptop_mode': ['5', '0'],
};
/** What user-mode Linux has of them. */
const SETTINGS_MIN = 3;
const LAPTOP = '/proc/sys/vm/laptop_mode';
const ASLR = '/proc/sys/kernel/randomize_va_space';

const folder = mkdtempSync(join(tmpdir(), 'envicutor-contest-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** The word in brackets, where there are several. */
function settingOf(path: string): string {
  const text = readFileSync(path, 'utf8').trim();
  return /\[(.*)\]/.exec(text)?.[1] ?? text;
}

/** Did the kernel take this value? */
function put(path: string, value: string): boolean {
  if (!existsSync(path)) return false;
  writeFileSync(path, value);
  return settingOf(path) === value;
}

interface Change {
  readonly path: string;
  readonly before: string;
  readonly after: string;
  readonly outcome: string;
}

/** Runs the command, and gives what it says that it touched, by path. */
function preflight(...words: readonly string[]): Map<string, Change> {
  const program = new URL('../../../agent/main.ts', import.meta.url).pathname;
  const env = { ...process.env, ENVICUTOR_AGENT_CONTEST_DIRECTORY: join(folder, 'record') };
  const { stdout, stderr } = spawnSync(process.execPath, [program, 'preflight', ...words, '--json'], {
    ...{ env, encoding: 'utf8', maxBuffer: 1 << 26 },
  });
  assert.equal(stderr, '');
  const told = JSON.parse(stdout) as (Change & { readonly changes?: readonly Change[] })[];
  return new Map(told.flatMap((row) => row.changes ?? [row]).map((change) => [change.path, change]));
}

const fix = () => preflight('--contest', '--fix');
const undo = () => preflight('--undo');

/** What the guest's other tests count on. */
const originals = new Map(Object.keys(settings).flatMap((path) => (existsSync(path) ? [[path, settingOf(path)]] : [])));
after(() => {
  for (const [path, value] of originals) writeFileSync(path, value);
});

let spoiled: [path: string, spoiled: string, wanted: string][] = [];
before(() => {
  spoiled = Object.entries(settings)
    .filter(([path, [value]]) => put(path, value))
    .map(([path, [value, wanted]]) => [path, value, wanted]);
});

test('what a contest does not want is changed in the kernel, and nothing twice', (context) => {
  context.diagnostic(`this kernel has ${spoiled.map(([path]) => path).join(', ')}`);
  assert.ok(spoiled.length >= SETTINGS_MIN, String(spoiled.length));
  const aslr = settingOf(ASLR);
  const made = fix();
  for (const [path, before, wanted] of spoiled) {
    assert.equal(settingOf(path), wanted, path);
    const { outcome, before: told } = made.get(path) ?? {};
    assert.deepEqual([outcome, told], ['changed', before], path);
  }
  assert.equal(settingOf(ASLR), aslr, "a protection of every process is nobody's to take by a command");
  assert.deepEqual(
    [...fix().values()].filter(({ outcome }) => outcome === 'changed'),
    [],
  );
});

test('all of it is put back, but what somebody else has set meanwhile, and once', () => {
  writeFileSync(LAPTOP, '3');
  const made = undo();
  for (const [path, before] of spoiled.filter(([path]) => path !== LAPTOP)) {
    assert.equal(made.get(path)?.outcome, 'restored', path);
    assert.equal(settingOf(path), before, path);
  }
  assert.deepEqual([made.get(LAPTOP)?.outcome, settingOf(LAPTOP)], ['left', '3']);
  assert.deepEqual([...undo()], []);
  assert.ok(!existsSync(join(folder, 'record/contest-settings.json')), 'a record of nothing is left');
});
