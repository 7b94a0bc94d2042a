/**
 * Owns the cases about how a program ends: each ending is a Report with HTTP 200, and nothing of one run is seen by another.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { Execution } from '../../../shared/model/execution.ts';
import type { Instance } from '../../support/instance.ts';
import { cpp } from './environments.ts';

const MiB = 1024 * 1024;

/** Registers the cases. */
export function verdictCases(instance: Instance): void {
  const shell = (script: string, run: object = {}): Promise<Execution> =>
    instance.api.execute({ environment: {}, run: { script, ...run } });
  const c = (source: string, limits: object, stdin = ''): Promise<Execution> =>
    instance.api.execute({
      environment: cpp,
      files: [{ path: 'main.cpp', content: source }],
      compile: { script: 'g++ -O1 main.cpp -o main -pthread' },
      run: { script: 'exec ./main', stdin, limits },
    });

  test('a setup script that fails is a finished execution that names the script', async () => {
    const execution = await instance.api.execute({
      environment: { setup: 'echo broken >&2; exit 7' },
      run: { script: 'true' },
    });
    assert.equal(execution.stage, 'finished');
    assert.equal(execution.endedIn, 'setup');
    assert.equal(execution.verdict, 'nonzero-exit');
    assert.equal(execution.setup?.exitCode, 7);
    assert.equal(execution.setup?.stderr, 'broken\n');
    assert.equal(execution.run, null);
  });

  test('a compile script that fails ends the execution there', async () => {
    const execution = await instance.api.execute({
      environment: {},
      compile: { script: 'exit 4' },
      run: { script: 'true' },
    });
    assert.deepEqual(
      [execution.verdict, execution.endedIn, execution.compile?.exitCode, execution.run],
      ['nonzero-exit', 'compile', 4, null],
    );
  });

  test('exit 3 and a segmentation fault are told apart', async () => {
    const exit = await shell('exit 3');
    assert.deepEqual([exit.verdict, exit.run?.exitCode, exit.run?.signal], ['nonzero-exit', 3, null]);
    const fault = await c('int main() { *(volatile int *)0 = 1; }', {});
    assert.deepEqual([fault.verdict, fault.run?.exitCode, fault.run?.signal], ['signaled', null, 'SIGSEGV']);
  });

  const limits: [string, string, object, string, string][] = [
    [
      'cpu time',
      'int main() { for (volatile long i = 0;; i++); }',
      { cpuTimeMs: 300 },
      'cpu-time-exceeded',
      'cpuTimeMs',
    ],
    [
      'wall time',
      '#include <unistd.h>\nint main() { pause(); }',
      { wallTimeMs: 300, idleTimeMs: 9000 },
      'wall-time-exceeded',
      'wallTimeMs',
    ],
    [
      'idle time',
      '#include <unistd.h>\nint main() { pause(); }',
      { wallTimeMs: 9000, idleTimeMs: 300 },
      'idle-time-exceeded',
      'idleTimeMs',
    ],
    [
      'memory',
      '#include <cstdlib>\n#include <cstring>\nint main() { for (;;) memset(malloc(1 << 20), 1, 1 << 20); }',
      { memoryBytes: 64 * MiB },
      'memory-exceeded',
      'memoryBytes',
    ],
    [
      'output',
      '#include <cstdio>\nint main() { for (;;) puts("x"); }',
      { outputBytes: 1000 },
      'output-exceeded',
      'outputBytes',
    ],
    [
      'file size',
      '#include <cstdio>\nint main() { FILE *f = fopen("big", "w"); for (;;) fputs("0123456789", f); }',
      { fileSizeBytes: 100_000 },
      'file-size-exceeded',
      'fileSizeBytes',
    ],
  ];
  for (const [name, source, limit, verdict, exceeded] of limits) {
    test(`a program over its ${name} limit is ended for that and nothing else`, async () => {
      const execution = await c(source, limit);
      assert.equal(execution.verdict, verdict, JSON.stringify(execution.run));
      assert.equal(execution.run?.exceeded?.limit, exceeded);
    });
  }

  test('output is cut exactly at its limit', async () => {
    const execution = await shell('yes', { limits: { outputBytes: 1234 } });
    assert.deepEqual(
      [execution.verdict, execution.run?.stdout.length, execution.run?.stdoutTruncated],
      ['output-exceeded', 1234, true],
    );
  });

  test('a full disk makes a failing program disk-exceeded', async () => {
    const execution = await shell('dd if=/dev/zero of=big bs=1M count=64 2>/dev/null', {
      limits: { diskBytes: 8 * MiB },
    });
    assert.equal(execution.verdict, 'disk-exceeded', JSON.stringify(execution.run));
  });

  test('processes and open files are bounded without a verdict of their own', async () => {
    const source =
      '#include <cstdio>\n#include <unistd.h>\nint main() { int n = 0; while (n < 100) { int p = fork(); if (p < 0) break; if (p == 0) pause(); n++; } printf("%d", n); }';
    const execution = await c(source, { processes: 8 });
    assert.equal(execution.run?.stdout, '7', JSON.stringify(execution.run));
    const files = await shell('ulimit -n', { limits: { openFiles: 77 } });
    assert.equal(files.run?.stdout, '77\n');
  });

  test('a program that cannot be started is not confused with one that exits 127', async () => {
    const missing = await shell('#!/no/such/interpreter\n');
    assert.deepEqual([missing.verdict, missing.run?.start?.errno], ['start-failed', 'ENOENT']);
    const own = await shell('exit 127');
    assert.deepEqual([own.verdict, own.run?.exitCode], ['nonzero-exit', 127]);
  });

  test('ten megabytes of binary input come back byte by byte', async () => {
    const bytes = randomBytes(10 * MiB);
    const execution = await shell('exec cat', {
      stdin: bytes.toString('base64'),
      stdinEncoding: 'base64',
      limits: { outputBytes: 16 * MiB },
    });
    assert.equal(execution.verdict, 'ok');
    assert.equal(execution.run?.stdoutEncoding, 'base64');
    assert.ok(Buffer.from(execution.run?.stdout ?? '', 'base64').equals(bytes));
  });

  test('as many control characters as the limits allow come back on both streams, and the agent goes on', async () => {
    const execution = await shell("head -c 16777216 /dev/zero; head -c 16777216 /dev/zero | tr '\\0' '\\1' >&2", {
      limits: { outputBytes: 16 * MiB },
    });
    assert.equal(execution.verdict, 'ok');
    assert.ok(execution.run?.stdout === '\0'.repeat(16 * MiB));
    assert.ok(execution.run?.stderr === '\u0001'.repeat(16 * MiB));
    assert.equal((await shell('echo on')).run?.stdout, 'on\n');
  });

  test('output that is not UTF-8 is carried as base64', async () => {
    const execution = await shell("printf '\\377\\376'");
    assert.deepEqual([execution.run?.stdoutEncoding, execution.run?.stdout], ['base64', '//4=']);
  });

  test('two programs side by side do not find each other', async () => {
    const look =
      'touch /tmp/mine-$0 /dev/shm/mine; for i in 1 2 3 4 5 6 7 8 9 10; do ls /tmp /dev/shm /proc | grep -c -E "^(mine|[0-9]+)" ; sleep 0.05; done | sort -u | tr "\\n" " "';
    const alone = await shell(look);
    const both = await Promise.all([shell(look), shell(look)]);
    assert.deepEqual(
      both.map((execution) => execution.run?.stdout),
      [alone.run?.stdout, alone.run?.stdout],
    );
    const network = await shell(
      'cat /proc/net/dev | tail -n +3 | cut -d: -f1 | tr -d " "; cat /proc/net/route | tail -n +2',
    );
    assert.equal(network.run?.stdout, 'lo\n');
  });

  test('scripts see nothing of the host but what the contract says', async () => {
    const execution = await shell('id -u; pwd; env | cut -d= -f1 | sort | tr "\\n" " "; cat /etc/shadow; ls /sys', {
      variables: { MINE: '1' },
    });
    const [user, directory, names] = (execution.run?.stdout ?? '').split('\n');
    assert.deepEqual([user, directory], ['1000', '/environment/workspace']);
    assert.match(names ?? '', /\bENVICUTOR_ENV\b.*\bHOME\b.*\bLANG\b.*\bMINE\b.*\bPATH\b.*\bTMPDIR\b.*\bUSER\b/);
    assert.match(execution.run?.stderr ?? '', /denied|No such file/);
  });
}
