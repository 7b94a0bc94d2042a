/**
 * Owns the proof that every figure of a report is told, and agrees with what the program itself counted.
 * Never a duration as such: only figures that must agree with each other. Runs real programs in the real launcher; needs gcc.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { limitDefaults } from '../../shared/model/limits.ts';
import { OutputBuffer } from '../../shared/sandbox/output-buffer.ts';
import type { LaunchReport, LaunchSpec } from '../../shared/sandbox/sandbox.ts';
import { launchSpec } from '../support/launch-spec.ts';
import { compileC, RealLauncher } from '../support/real-launcher.ts';

const filler = Buffer.alloc(20_000);
const program = compileC(`
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static long long now(clockid_t clock) { struct timespec t; clock_gettime(clock, &t); return t.tv_sec * 1000000000LL + t.tv_nsec; }
static char block[1 << 16];
int main(int count, char **words) {
  long long cpu = now(CLOCK_PROCESS_CPUTIME_ID), wall = now(CLOCK_MONOTONIC);
  if (count > 1) {
    while (now(CLOCK_PROCESS_CPUTIME_ID) - cpu < 150000000) continue;
    printf("%lld %lld\\n", now(CLOCK_PROCESS_CPUTIME_ID) - cpu, now(CLOCK_MONOTONIC) - wall);
    return 0;
  }
  for (ssize_t left = 70000, got; left > 0; left -= got) if ((got = read(0, block, 1000)) <= 0) return 1;
  int file = open("made", O_CREAT | O_WRONLY, 0600);
  for (int i = 0; i < 3; i++) if (write(file, block, sizeof block) != sizeof block) return 2;
  mkdir("beside", 0700);
  for (int i = 0; i < 2; i++) if (fork() == 0) { usleep(20000); _exit(0); }
  while (wait(NULL) > 0) continue;
  memset(malloc(8 << 20), 1, 8 << 20);
  if (write(1, block, 12345) != 12345 || write(2, block, 678) != 678) return 3;
  return 0;
}`);

let launcher: RealLauncher;
before(async () => {
  launcher = await RealLauncher.start('envicutor-usage');
});
after(() => launcher.stop());

async function run(words: readonly string[], changes: Partial<LaunchSpec> = {}): Promise<[LaunchReport, string]> {
  const said = new OutputBuffer();
  const { files = [], ...others } = changes;
  const all = [{ path: 'main', isExecutable: true, content: program }, ...files];
  const spec = launchSpec(['/environment/workspace/main', ...words], { layers: ['base'], files: all, ...others });
  const report = await launcher.sandbox.launch(spec, { stdout: said.append.bind(said) }).report;
  return [report, said.bytes().toString()];
}

test('every figure of a report is told: what came in and out, was written, was in use and took time', async () => {
  const { size } = { size: program.length };
  const [report] = await run([], { stdin: Buffer.alloc(70_000) });
  assert.deepEqual([report.end, report.exitCode], ['exited', 0]);
  assert.deepEqual([report.stdinBytes, report.stdoutBytes, report.stderrBytes], [70_000, 12_345, 678]);
  assert.equal(report.processesPeak, 3);
  assert.ok(report.diskBytes >= size + 196_608 && report.diskBytes < size + 230_000, `${report.diskBytes}`);
  assert.ok(
    report.diskInodes >= 3 && report.diskInodes <= 6,
    `${report.diskInodes}: main, made, beside and their directory`,
  );
  assert.ok(report.memoryPeakBytes > 8 << 20 && report.memoryPeakBytes < 16 << 20, `${report.memoryPeakBytes}`);
  assert.ok(report.voluntarySwitches >= 3, `${report.voluntarySwitches}`);
  assert.deepEqual([report.oomKills, report.throttledMs, report.diskFull], [0, 0, null]);
  for (const name of ['takeMs', 'mountMs', 'execMs', 'collectMs', 'cpuSystemMs'] as const)
    assert.ok(report[name] >= 0, `${name} ${report[name]}`);
  assert.ok(report.takeMs + report.mountMs + report.execMs > 0 && report.collectMs > 0);
  assert.ok(Math.abs(report.cpuUserMs + report.cpuSystemMs - report.cpuTimeMs) < 0.001);
});

test('cpu and wall time are those of the program by its own clocks, without what came before its exec', async (context) => {
  const before = Array.from({ length: 400 }, (_, index) => ({
    ...{ path: `input/${index}`, isExecutable: false, content: Buffer.alloc(20_000) },
  }));
  const [report, said] = await run(['spin'], { files: before, limits: { ...limitDefaults.run, diskInodes: 2000 } });
  const [cpuMs = 0, wallMs = 0] = said.split(' ').map((text) => Number(text) / 1e6);
  context.diagnostic(`cpu ${(report.cpuTimeMs - cpuMs).toFixed(2)} ms above the program's own clock`);
  assert.ok(report.cpuTimeMs >= cpuMs && report.cpuTimeMs < cpuMs + 15, `${report.cpuTimeMs} for ${cpuMs}`);
  assert.ok(report.wallTimeMs >= wallMs, `${report.wallTimeMs} for ${wallMs}`);
  const stamped = report.endedAtMs - (report.startedAtMs ?? 0);
  assert.ok(Math.abs(stamped - report.wallTimeMs) < 50, `${stamped} between the stamps, ${report.wallTimeMs} counted`);
});

test('what we did for a program before its exec is not in its cpu time, however much that was', async (context) => {
  const path = (index: number) => `input/${index}`;
  const many = Array.from({ length: 400 }, (_, index) => ({ path: path(index), isExecutable: false, content: filler }));
  const limits = { ...limitDefaults.run, diskInodes: 2000 };
  const lowest = { none: Infinity, many: Infinity };
  for (let round = 0; round < 4; round++) {
    for (const [kind, files] of [
      ['none', []],
      ['many', many],
    ] as const) {
      const [report, said] = await run(['spin'], { files, limits });
      lowest[kind] = Math.min(lowest[kind], report.cpuTimeMs - Number(said.split(' ')[0]) / 1e6);
    }
  }
  context.diagnostic(
    `exec and exit cost ${lowest.none.toFixed(2)} ms, with 8 MB of files ${lowest.many.toFixed(2)} ms`,
  );
  assert.ok(lowest.many < lowest.none + 1.5, JSON.stringify(lowest));
});

test('figures of one run are not those of another', async () => {
  const [busy] = await run(['spin']);
  const [quiet] = await run([], { stdin: Buffer.alloc(70_000) });
  assert.ok(busy.cpuTimeMs > 130 && quiet.cpuTimeMs < 130);
  assert.ok(busy.memoryPeakBytes < quiet.memoryPeakBytes);
  assert.deepEqual([busy.stdinBytes, quiet.processesPeak, busy.processesPeak], [0, 3, 1]);
});
