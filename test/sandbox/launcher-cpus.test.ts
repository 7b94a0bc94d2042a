/**
 * Owns the proof that programs stay on the processors that their slot has, with memory that is laid out alike each time, and that a machine which can't
 * do that is refused at the start.
 * Runs real programs in the real launcher; needs root.
 */
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { preflight } from '../../agent/preflight/preflight.ts';
import { systemClock } from '../../shared/clock.ts';
import { limitDefaults } from '../../shared/model/limits.ts';
import { toFailureSentence } from '../../shared/sandbox/launch-failure.ts';
import { OutputBuffer } from '../../shared/sandbox/output-buffer.ts';
import type { LaunchReport, LaunchSpec, Sandbox } from '../../shared/sandbox/sandbox.ts';
import { FakeSandbox, launchReport } from '../support/fake-sandbox.ts';
import { launchSpec } from '../support/launch-spec.ts';
import { compileC, RealLauncher } from '../support/real-launcher.ts';

const spinner = compileC(`
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>
static void *spin(void *nothing) { for (volatile unsigned long x = 0;; x++) {} return nothing; }
int main(int count, char **words) {
  cpu_set_t set;
  pthread_t thread;
  sched_getaffinity(0, sizeof set, &set);
  for (int i = 0; i < CPU_SETSIZE; i++) if (CPU_ISSET(i, &set)) printf("%d ", i);
  fflush(stdout);
  for (int i = 0; i < 3; i++) pthread_create(&thread, NULL, spin, NULL);
  usleep(count > 1 ? 60000000 : 300000);
  return 0;
}`);

/** Says where its stack is, and what it was given: ADDR_NO_RANDOMIZE is 40000. With a word it lets a child say it, after another exec. */
const layout = compileC(`
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <unistd.h>
int main(int count, char **words) {
  if (count > 1) execl(words[0], words[0], NULL);
  printf("%p %x %d", (void *)&count, personality(0xffffffff), prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
  return 0;
}`);

let launcher: RealLauncher;
before(async () => {
  launcher = await RealLauncher.start('envicutor-cpus');
});
after(() => launcher.stop());

const canPin = (): boolean => !launcher.sandbox.facts.missing.includes('cpuset');

async function run(changes: Partial<LaunchSpec>): Promise<{ report: LaunchReport; said: string }> {
  const said = new OutputBuffer();
  const files = [
    { path: 'spinner', isExecutable: true, content: spinner },
    { path: 'layout', isExecutable: true, content: layout },
  ];
  const spec = launchSpec(['/environment/workspace/spinner'], { layers: ['base'], files, ...changes });
  const { report } = launcher.sandbox.launch(spec, { stdout: said.append.bind(said) });
  return { report: await report, said: said.bytes().toString() };
}

/** A sandbox that preflight may close. */
function borrowed(launch: Sandbox['launch']): Sandbox {
  return { facts: launcher.sandbox.facts, launch, close: async () => undefined } as Partial<Sandbox> as Sandbox;
}

const options = {
  stateDirectory: join(tmpdir(), `envicutor-cpus-${process.pid}`),
  ...{ diskFreeBytesMin: 0, launcherWaitMs: 0, slots: 2, slotCpus: 'one-core-each', clock: systemClock },
};

test('two programs at once see one processor each, and not the same', async (context) => {
  if (!canPin() || launcher.sandbox.facts.cores < 2) {
    assert.equal((await run({ cpus: '0' })).report.failure?.errno, canPin() ? undefined : 'EOPNOTSUPP');
    context.diagnostic(
      'this machine has no cpuset, or one processor only: that a pinned launch is refused was tested instead',
    );
    return;
  }
  const [first, second] = await Promise.all([run({ cpus: '0' }), run({ cpus: '1' })]);
  assert.deepEqual([first.said, second.said], ['0 ', '1 ']);
  for (const { report } of [first, second]) {
    assert.equal(report.exitCode, 0);
    assert.ok(report.cpuTimeMs <= report.wallTimeMs * 1.05 + 5, `${report.cpuTimeMs} ms in ${report.wallTimeMs} ms`);
  }
  assert.equal((await run({})).said.split(' ').length - 1, launcher.sandbox.facts.cores, 'the next one is not pinned');
});

test('whoever has processors of its own has its memory laid out alike each time and no huge pages, also after an exec of its own', async () => {
  const argv = ['/environment/workspace/layout'];
  const laidOut = async (cpus: string | null, words: readonly string[] = []) =>
    (await run({ argv: [...argv, ...words], cpus })).said.split(' ');
  if (canPin()) {
    const [first = [], second = [], inherited = []] = [
      await laidOut('0'),
      await laidOut('0'),
      await laidOut('0', ['again']),
    ];
    assert.deepEqual(first.slice(1), ['40000', '1']);
    assert.deepEqual(second, first);
    assert.deepEqual(inherited.slice(1), ['40000', '1']);
  }
  const [one = [], other = []] = [await laidOut(null), await laidOut(null)];
  assert.deepEqual(
    [one.slice(1), other.slice(1)],
    [
      ['0', '0'],
      ['0', '0'],
    ],
  );
  assert.notEqual(one[0], other[0], 'all others are laid out by chance');
});

test('a limit of cpu time is enforced on one processor as on all', async () => {
  const limits = { ...limitDefaults.run, cpuTimeMs: 100 };
  const argv = ['/environment/workspace/spinner', 'for ever'];
  for (const cpus of canPin() ? ['0', null] : [null]) {
    const { report } = await run({ argv, limits, cpus });
    assert.equal(report.exceeded?.limit, 'cpuTimeMs');
  }
});

test('processors that the machine does not have are refused with a sentence', async () => {
  const { report } = await run({ cpus: '4095' });
  assert.deepEqual([report.end, report.failure?.step], ['setup-failed', 'cgroup']);
  assert.match(toFailureSentence(report.failure ?? { step: '', errno: '' }), /processors/);
});

test('preflight gives each slot its processor, after a program ran on each', async () => {
  const sandbox = borrowed((spec) => launcher.sandbox.launch(spec));
  const outcome = await preflight({ ...options, slots: 1, connect: async () => sandbox });
  assert.deepEqual(outcome, canPin() ? { sandbox, slotCpus: ['0'], problems: [] } : { problems: outcome.problems });
});

test('preflight refuses a host that can not pin, with the remedy, and a setting that does not fit', async () => {
  const failure = { step: 'cgroup', errno: 'EOPNOTSUPP' };
  const fake = new FakeSandbox(() => launchReport({ end: 'setup-failed', exitCode: null, failure }));
  const without = borrowed((spec) => fake.launch(spec));
  const { problems } = await preflight({ ...options, slots: 1, connect: async () => without });
  assert.match(
    problems.join(),
    /can't be bound to the processors 0 of slotCpus \(ENVICUTOR_AGENT_SLOT_CPUS\): .*cpuset/,
  );
  const unfit = await preflight({ ...options, slotCpus: '0;0', connect: async () => without });
  assert.match(unfit.problems.join(), /processor 0 belongs to slot 0 and to slot 1/);
});
