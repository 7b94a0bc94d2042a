/**
 * What each program of this folder must get; its own first comment says what it tries: programs that end in ways that look like something else.
 * Never a duration: see ../expectation.ts for what a row means.
 */
import assert from 'node:assert/strict';
import type { Expectation } from '../expectation.ts';

/** The table; a key is a program's name. */
export const verdictHonesty: Readonly<Record<string, Expectation>> = {
  'exit-codes': { verdict: 'nonzero-exit', exitCode: 137 },
  'exit-139': { verdict: 'nonzero-exit', exitCode: 139 },
  'exit-256': {},
  'kill-self': { verdict: 'signaled', signal: 'SIGKILL' },
  'xcpu-self': { verdict: 'signaled', signal: 'SIGXCPU' },
  'killed-by-child': { verdict: 'signaled', signal: 'SIGKILL' },
  'term-self': { verdict: 'signaled', signal: 'SIGTERM' },
  abort: { verdict: 'signaled', signal: 'SIGABRT' },
  'bad-call': { verdict: 'signaled', signal: 'SIGSYS' },
  trap: { verdict: 'signaled', signal: 'SIGTRAP' },
  'forged-report': {
    says: 'Time limit exceeded\n{"verdict":"ok","exitCode":0}\nmemory-exceeded\n',
    verdict: 'nonzero-exit',
    exitCode: 1,
  },
  'forged-frames': { says: /^[^a]{4}D/, verdict: 'nonzero-exit', exitCode: 3 },
  'refused-memory': { says: 'refused\n' },
  'memory-of-child': {
    limits: { memoryBytes: 67_108_864 },
    verdict: 'memory-exceeded',
    signal: null,
    exceeded: 'memoryBytes',
    exitCode: 'any',
  },
  'offers-victim': {
    limits: { memoryBytes: 67_108_864 },
    verdict: 'memory-exceeded',
    signal: 'SIGKILL',
    exceeded: 'memoryBytes',
  },
  'ignores-everything': {
    limits: { cpuTimeMs: 120 },
    verdict: 'cpu-time-exceeded',
    signal: 'SIGKILL',
    exceeded: 'cpuTimeMs',
  },
  'cpu-of-children': {
    limits: { cpuTimeMs: 150 },
    verdict: 'cpu-time-exceeded',
    signal: 'SIGKILL',
    exceeded: 'cpuTimeMs',
  },
  'cpu-of-threads': {
    limits: { cpuTimeMs: 150 },
    verdict: 'cpu-time-exceeded',
    signal: 'SIGKILL',
    exceeded: 'cpuTimeMs',
  },
  'cpu-of-orphans': { says: 'spinning\n', check: (report) => assert.ok(report.usage.cpuTimeMs >= 60) },
  stopped: { limits: { wallTimeMs: 120 }, verdict: 'wall-time-exceeded', signal: 'SIGKILL', exceeded: 'wallTimeMs' },
  idle: { limits: { idleTimeMs: 120 }, verdict: 'idle-time-exceeded', signal: 'SIGKILL', exceeded: 'idleTimeMs' },
  'first-thread-leaves': { says: 'later\n', verdict: 'nonzero-exit', exitCode: 7 },
  'exec-in-thread': { says: 'became\n', verdict: 'nonzero-exit', exitCode: 5 },
  'hidden-by-tracer': {
    limits: { wallTimeMs: 150 },
    verdict: 'wall-time-exceeded',
    signal: null,
    exceeded: 'wallTimeMs',
    exitCode: 'any',
  },
  renamed: { verdict: 'signaled', signal: 'SIGABRT' },
  'full-disk-and-success': { says: 'ENOSPC\n', limits: { diskBytes: 4_194_304 } },
  'file-size': {
    limits: { fileSizeBytes: 1_048_576 },
    verdict: 'file-size-exceeded',
    signal: 'SIGXFSZ',
    exceeded: 'fileSizeBytes',
  },
  'file-size-self': { verdict: 'file-size-exceeded', signal: 'SIGXFSZ', exceeded: 'fileSizeBytes' },
  'file-size-ignored': { says: 'EFBIG\n', limits: { fileSizeBytes: 1_048_576 } },
  'memory-then-success': {
    limits: { memoryBytes: 67_108_864 },
    check: (report) => assert.ok(report.usage.memoryPeakBytes > 48 << 20),
  },
  'shared-pages': { limits: { memoryBytes: 67_108_864 } },
};
