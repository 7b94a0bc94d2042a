/**
 * Owns the proof that each limit ends a program for its own reason and no other: what is reported is who ended it, not how it died.
 * Runs real programs in the real launcher; needs root and gcc.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { LaunchReport, LaunchSpec } from '../../shared/sandbox/sandbox.ts';
import { notInGuest, patience } from '../support/guest.ts';
import { launchSpec, runLimits } from '../support/launch-spec.ts';
import { compileC, RealLauncher } from '../support/real-launcher.ts';

const hostile = compileC(`
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static char block[65536];
static void spin(void) { for (volatile unsigned long x = 0;; x++) {} }
static void eat(void) { for (;;) memset(malloc(1 << 20), 1, 1 << 20); }
int main(int count, char **words) {
  const char *what = count > 1 ? words[1] : "";
  if (!strcmp(what, "spin")) spin();
  if (!strcmp(what, "eat")) eat();
  if (!strcmp(what, "child-eats")) { if (fork() == 0) eat(); wait(NULL); return 0; }
  if (!strcmp(what, "daemon-spins")) { if (fork() == 0) { setsid(); if (fork() == 0) spin(); _exit(0); } usleep(150000); return 0; }
  if (!strcmp(what, "stop")) raise(SIGSTOP);
  if (!strcmp(what, "bomb")) for (;;) fork();
  if (!strcmp(what, "flood")) for (;;) if (write(1, block, sizeof block) < 0) return 9;
  if (!strcmp(what, "print")) return write(1, block, (size_t)atoi(words[2])) != atoi(words[2]);
  if (!strcmp(what, "kill-self")) raise(SIGKILL);
  if (!strcmp(what, "xcpu-self")) raise(SIGXCPU);
  if (!strcmp(what, "file")) { int file = open("big", O_CREAT | O_WRONLY, 0644); while (write(file, block, sizeof block) > 0) {} return 8; }
  if (!strcmp(what, "cache")) { int file = open(words[2], O_RDONLY); while (read(file, block, sizeof block) > 0) {} return 0; }
  return 7;
}`);

let launcher: RealLauncher;
before(async () => {
  launcher = await RealLauncher.start('envicutor-limits');
});
after(() => launcher.stop());

function run(words: readonly string[], limits: Partial<LaunchSpec['limits']> = {}): Promise<LaunchReport> {
  const files = [{ path: 'hostile', isExecutable: true, content: hostile }];
  const spec = launchSpec(['/environment/workspace/hostile', ...words], { layers: ['base'], files });
  return launcher.sandbox.launch({ ...spec, limits: { ...runLimits, ...limits } }).report;
}

const exceeded = (report: LaunchReport): string | undefined => report.exceeded?.limit;

// How soon after its limit a run ends is a figure for a benchmark; here it is reported, not asserted.
test('cpu time ends a spinning program at its limit', async (context) => {
  const report = await run(['spin'], { cpuTimeMs: 200 });
  assert.equal(exceeded(report), 'cpuTimeMs');
  assert.ok(report.cpuTimeMs >= 200);
  context.diagnostic(`${(report.cpuTimeMs - 200).toFixed(2)} ms above the limit`);
});

test('wall time ends a stopped program', async (context) => {
  const report = await run(['stop'], { wallTimeMs: 200 });
  assert.equal(exceeded(report), 'wallTimeMs');
  assert.ok(report.wallTimeMs >= 200);
  context.diagnostic(`${(report.wallTimeMs - 200).toFixed(2)} ms above the limit`);
});

test('idle time ends a waiting program and not a computing one', async () => {
  assert.equal(exceeded(await run(['stop'], { idleTimeMs: 150 })), 'idleTimeMs');
  assert.equal(exceeded(await run(['spin'], { idleTimeMs: 5000, cpuTimeMs: 300 })), 'cpuTimeMs');
});

test('memory is exceeded when the kernel says so, also by a child whose parent would succeed', async () => {
  for (const words of [['eat'], ['child-eats']]) {
    const report = await run(words, { memoryBytes: 32 << 20 });
    assert.equal(exceeded(report), 'memoryBytes');
    assert.ok(report.oomKills > 0);
  }
});

test('page cache never makes a program exceed its memory', async () => {
  const files = [
    { path: 'hostile', isExecutable: true, content: hostile },
    { path: 'data', isExecutable: false, content: Buffer.alloc(1 << 20) },
  ];
  const made = launcher.sandbox.launch(
    launchSpec(['/bin/sh', '-c', 'for i in 1 2 3 4 5 6 7 8; do cat data data data data; done > big'], {
      layers: ['base'],
      files,
      isKept: true,
    }),
  );
  assert.equal((await made.report).exitCode, 0);
  const spec = launchSpec(['/environment/workspace/hostile', 'cache', 'big'], { layers: ['base'], kept: [made.kept] });
  const report = await launcher.sandbox.launch({ ...spec, limits: { ...runLimits, memoryBytes: 8 << 20 } }).report;
  assert.equal(report.exceeded, null);
  assert.equal(report.exitCode, 0);
  launcher.sandbox.release(made.kept);
});

test('a fork bomb meets the process limit and ends with its wall time', notInGuest('forkKilled'), async () => {
  const report = await run(['bomb'], { processes: 40, wallTimeMs: 300 * patience });
  assert.equal(report.processesPeak, 40);
  assert.equal(exceeded(report), 'wallTimeMs');
});

test('exactly outputBytes are forwarded and one more byte is output-exceeded', async () => {
  const flood = await run(['flood'], { outputBytes: 100_000 });
  assert.equal(exceeded(flood), 'outputBytes');
  assert.equal(flood.stdoutBytes, 100_000);
  assert.equal(flood.stdoutTruncated, true);
  const exact = await run(['print', '50000'], { outputBytes: 50_000 });
  assert.equal(exact.exceeded, null);
  assert.equal(exceeded(await run(['print', '50001'], { outputBytes: 50_000 })), 'outputBytes');
});

test('file size is exceeded by the kernel and disk is reported full', async () => {
  assert.equal(exceeded(await run(['file'], { fileSizeBytes: 1 << 20 })), 'fileSizeBytes');
  const full = await run(['file'], { diskBytes: 4 << 20 });
  assert.equal(full.diskFull, 'bytes');
  assert.equal(full.exitCode, 8);
});

test("a program's own signals and exit codes never look like a limit", async () => {
  for (const [words, signal] of [
    [['kill-self'], 9],
    [['xcpu-self'], 24],
  ] as const) {
    const report = await run(words);
    assert.equal(report.end, 'signaled');
    assert.equal(report.signal, signal);
    assert.equal(report.exceeded, null);
  }
  const shell = launchSpec(['/bin/sh', '-c', 'exit 137'], { layers: ['base'] });
  const report = await launcher.sandbox.launch(shell).report;
  assert.deepEqual([report.end, report.exitCode, report.exceeded], ['exited', 137, null]);
});

test('cpu time of a daemon counts and the run ends with its program', async () => {
  const report = await run(['daemon-spins']);
  assert.equal(report.exitCode, 0);
  assert.ok(report.cpuTimeMs > 20, `${report.cpuTimeMs} ms of cpu`);
  assert.equal(report.exceeded, null);
});
