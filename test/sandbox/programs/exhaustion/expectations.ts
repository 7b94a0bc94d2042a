/**
 * What each program of this folder must get; its own first comment says what it tries: programs that take all they can.
 * Never a duration: see ../expectation.ts for what a row means.
 */
import { isGuest } from '../../../support/guest.ts';
import type { Expectation } from '../expectation.ts';

/** For programs that do much, on a machine that does other things too. */
const patient = { wallTimeMs: 60_000, idleTimeMs: 60_000, cpuTimeMs: 30_000 };

/** Whose sandboxes have one owner all, and so a share each. */
const isOrdinaryUser = process.getuid?.() !== 0;
/** Of a tree of directories; the guest's system calls are slow. */
const depth = isGuest ? 10_000 : 100_000;

/** The table; a key is a program's name. */
export const exhaustion: Readonly<Record<string, Expectation>> = {
  heap: { limits: { memoryBytes: 67_108_864 }, verdict: 'memory-exceeded', signal: 'SIGKILL', exceeded: 'memoryBytes' },
  'touched-bss': {
    limits: { memoryBytes: 67_108_864 },
    verdict: 'memory-exceeded',
    signal: 'SIGKILL',
    exceeded: 'memoryBytes',
  },
  'untouched-bss': { says: '0\n', limits: { memoryBytes: 67_108_864 } },
  'reserved-memory': { says: 'reserved\n', limits: { memoryBytes: 67_108_864 }, notInGuest: 'addresses' },
  stack: { limits: { stackBytes: 1_048_576 }, verdict: 'signaled', signal: 'SIGSEGV' },
  'stack-of-threads': {
    limits: { memoryBytes: 67_108_864 },
    verdict: 'memory-exceeded',
    signal: 'SIGKILL',
    exceeded: 'memoryBytes',
  },
  tmpfs: {
    limits: { memoryBytes: 67_108_864 },
    verdict: 'memory-exceeded',
    signal: 'SIGKILL',
    exceeded: 'memoryBytes',
  },
  'shared-memory': {
    limits: { memoryBytes: 67_108_864 },
    verdict: 'memory-exceeded',
    signal: 'SIGKILL',
    exceeded: 'memoryBytes',
  },
  'memory-files': {
    limits: { memoryBytes: 67_108_864 },
    verdict: 'memory-exceeded',
    signal: 'SIGKILL',
    exceeded: 'memoryBytes',
  },
  pipes: {
    limits: { memoryBytes: 33_554_432, openFiles: 8192 },
    verdict: 'memory-exceeded',
    signal: 'SIGKILL',
    exceeded: 'memoryBytes',
  },
  'unix-sockets': {
    limits: { memoryBytes: 33_554_432, openFiles: 16_384 },
    verdict: 'memory-exceeded',
    signal: 'SIGKILL',
    exceeded: 'memoryBytes',
  },
  'page-tables': {
    limits: { memoryBytes: 33_554_432 },
    verdict: 'memory-exceeded',
    signal: 'SIGKILL',
    exceeded: 'memoryBytes',
  },
  'tcp-buffers': { says: 'bounded\n', limits: { memoryBytes: 67_108_864 } },
  // Names are freed a grace period after they were given up; a limit with room for what a busy machine's takes.
  lookups: { says: 'looked\n', limits: { memoryBytes: 50_331_648, ...patient } },
  'private-copies': {
    says: 'mapped\n',
    limits: { memoryBytes: 67_108_864 },
    verdict: 'memory-exceeded',
    signal: 'SIGKILL',
    exceeded: 'memoryBytes',
  },
  'memory-given-back': { says: 'given back\n', limits: { memoryBytes: 33_554_432 } },
  'kernel-stacks': { says: '63\n', limits: { processes: 64 } },
  'message-queues': {
    limits: { memoryBytes: 33_554_432 },
    verdict: 'memory-exceeded',
    signal: 'SIGKILL',
    exceeded: 'memoryBytes',
  },
  'posix-queues': { says: 'EMFILE 1\n' },
  files: { says: '500 ENOSPC\n', limits: { diskInodes: 500 } },
  'directories-links-fifos': {
    limits: { diskInodes: 300 },
    verdict: 'disk-exceeded',
    exceeded: 'diskInodes',
    exitCode: 1,
  },
  'inodes-everywhere': { says: '400 -1\n', limits: { diskInodes: 400 } },
  disk: {
    limits: { diskBytes: 8_388_608, fileSizeBytes: 524_288 },
    verdict: 'disk-exceeded',
    exceeded: 'diskBytes',
    exitCode: 3,
  },
  'sparse-file': { says: 'truncate: EFBIG\nwrite far: EFBIG\nallocate: EFBIG\n' },
  'extended-attributes': { says: '1\n', limits: { diskInodes: 500 } },
  'deep-directories': {
    says: `${depth}\n`,
    limits: { diskInodes: depth + 2, memoryBytes: 536_870_912, ...patient },
  },
  'fork-bomb': {
    notInGuest: 'forkKilled',
    limits: { processes: 30, wallTimeMs: 150 },
    verdict: 'wall-time-exceeded',
    signal: 'SIGKILL',
    exceeded: 'wallTimeMs',
  },
  'fork-bomb-setsid': {
    notInGuest: 'forkKilled',
    limits: { processes: 30, wallTimeMs: 150 },
    verdict: 'wall-time-exceeded',
    signal: 'SIGKILL',
    exceeded: 'wallTimeMs',
  },
  'fork-count': { says: '24\n', limits: { processes: 24 } },
  threads: { says: '24\n', limits: { processes: 24 } },
  'vfork-bomb': {
    notInGuest: 'forkKilled',
    limits: { processes: 30, wallTimeMs: 150 },
    verdict: 'wall-time-exceeded',
    signal: 'SIGKILL',
    exceeded: 'wallTimeMs',
  },
  zombies: { says: '23\n', limits: { processes: 24 } },
  descriptors: { says: 'raise: EPERM\n63 EMFILE\n', limits: { openFiles: 64 } },
  'descriptors-in-flight': { says: /^(refused|bounded by its descriptors)\n$/, limits: { openFiles: 256 } },
  'locked-memory': { says: 'mlockall: ENOMEM\nmlock: ENOMEM\n' },
  'pending-signals': { says: isOrdinaryUser ? '512 EAGAIN\n' : '4096 EAGAIN\n' },
  timers: { says: '1\n' },
  watchers: { says: '1\n' },
  priority: {
    says: "fifo: EPERM\nround robin: EPERM\nnice: EACCES\ninit's nice: EPERM\nioprio: EPERM\noom: EACCES\nrlimit nice: EPERM\nrlimit rt: EPERM\n",
  },
  'leave-cpuset': { says: 'other: EINVAL\n1 1\n', cpus: '0', notInGuest: 'noCpuset' },
  'raise-limits': { says: 'core 0 is pretended: ok\n1 1\n' },
  'argument-list': { says: 'E2BIG\n' },
  'sparse-output': {
    says: /^[^a]{100000}$/,
    limits: { outputBytes: 100_000 },
    verdict: 'output-exceeded',
    signal: 'SIGKILL',
    exceeded: 'outputBytes',
  },
  'sync-storm': { says: 'done\n' },
  'drop-pages': { says: 'advice: ok\ncaches: EACCES\n' },
  'page-cache': { says: '127\n', limits: { memoryBytes: 6_291_456 } },
};
