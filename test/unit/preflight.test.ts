/**
 * Owns the proof that an agent does not start on a machine that can't do its work, and that each problem has its remedy.
 * Never needs such a machine: what the launcher says of it is made up.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { preflight } from '../../agent/preflight/preflight.ts';
import { systemClock } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import type { Sandbox, SandboxFacts } from '../../shared/sandbox/sandbox.ts';

const folder = mkdtempSync(join(tmpdir(), 'envicutor-preflight-'));
after(() => rmSync(folder, { recursive: true }));

const facts: SandboxFacts = {
  ...{ cgroup: 'v2', cores: 4, memoryBytes: 1, kernel: '6.12.1-amd64', release: '1', isRootless: false, missing: [] },
};

async function problemsOf(changes: Partial<SandboxFacts>, options: object = {}): Promise<readonly string[]> {
  let closed = 0;
  const sandbox = { facts: { ...facts, ...changes }, close: async () => void closed++ } as Partial<Sandbox> as Sandbox;
  const outcome = await preflight({
    ...{ stateDirectory: folder, diskFreeBytesMin: 0, launcherWaitMs: 0, slots: 0, slotCpus: 'none' },
    ...{ connect: async () => sandbox, clock: systemClock, ...options },
  });
  assert.equal(closed, outcome.problems.length > 0 ? 1 : 0, 'a sandbox that is not used is closed');
  return outcome.problems;
}

test('a machine that has everything has no problem, and a slot for each core', async () => {
  assert.deepEqual(await problemsOf({}), []);
});

test('a kernel that is too old is named with what is needed', async () => {
  for (const kernel of ['5.10.0', '6.5.9-amd64'])
    assert.match(
      (await problemsOf({ kernel })).join(),
      new RegExp(`^the kernel is ${kernel}; sandboxes need 6.6 or newer$`),
    );
  for (const kernel of ['6.6.0', '7.0-rc1']) assert.deepEqual(await problemsOf({ kernel }), []);
});

test('no cgroup, no room and a setting that does not fit are told at once', async () => {
  const options = { diskFreeBytesMin: Number.MAX_SAFE_INTEGER, slotCpus: '0;0', slots: 2 };
  const problems = await problemsOf({ cgroup: 'none' }, options);
  assert.equal(problems.length, 3, problems.join('\n'));
  for (const remedy of [/DISK_FREE_BYTES_MIN/, /mount cgroup2/, /SLOT_CPUS/])
    assert.ok(
      problems.some((problem) => remedy.test(problem)),
      problems.join('\n'),
    );
});

test('a launcher that does not answer is the problem', async () => {
  const outcome = await preflight({
    ...{
      stateDirectory: folder,
      diskFreeBytesMin: 0,
      launcherWaitMs: 0,
      slots: 0,
      slotCpus: 'none',
      clock: systemClock,
    },
    connect: async () => {
      throw new SystemError('launcher-unavailable', 'nobody is there');
    },
  });
  assert.match(outcome.problems.join(), /nobody is there/);
});
