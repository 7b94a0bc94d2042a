/**
 * Owns the proof that make run's look at a machine names what is missing, from texts as kernels write them.
 * Never looks at this machine.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkCgroups, checkKernel } from '../../ops/local/requirements.ts';

const v1 = (names: string[]) =>
  names.map((name) => `cgroup /sys/fs/cgroup/${name} cgroup rw,relatime,${name} 0 0`).join('\n');

test('a kernel from 6.6 on will do, an older one is refused with the version that is needed', () => {
  assert.equal(checkKernel('6.6.0-generic'), null);
  assert.equal(checkKernel('6.12.1'), null);
  assert.equal(checkKernel('7.0.0-rc1'), null);
  assert.match(checkKernel('6.5.16') ?? '', /6\.5\.16.*at least 6\.6/);
  assert.match(checkKernel('5.15.0-91-generic') ?? '', /at least 6\.6/);
});

test('all controllers of version 1 will do, whichever mounts they share', () => {
  assert.equal(checkCgroups(v1(['cpu', 'cpuacct', 'memory', 'pids'])), null);
  assert.equal(checkCgroups(v1(['cpu,cpuacct', 'memory', 'pids'])), null);
});

test('a missing controller is named, with the remedy', () => {
  assert.match(checkCgroups(v1(['cpu,cpuacct', 'pids'])) ?? '', /no cgroup controller memory: mount cgroup2/);
  assert.match(checkCgroups('') ?? '', /no cgroup controller cpu, memory, pids: mount cgroup2/);
});
