/**
 * What each program of this folder must get; its own first comment says what it tries: pairs of runs: one leaves something and stays, the other looks, once beside it and once after it.
 * Never a duration: see ../expectation.ts for what a row means.
 */
import type { Expectation } from '../expectation.ts';

/** The table; a key is a program's name. */
export const covertChannel: Readonly<Record<string, Expectation>> = {
  'shared-memory': { says: 'shm: ENOENT\n' },
  semaphores: { says: 'sem: ENOENT\n' },
  messages: { says: 'msg: ENOENT\n' },
  'ipc-numbers': { says: '0\n' },
  'posix-queue': { says: 'queue: ENOENT\nroom: ok\n' },
  'posix-semaphore': { says: 'semaphore: ENOENT\n' },
  files: {},
  'abstract-socket': { says: 'connect: ECONNREFUSED\n' },
  'loopback-port': { says: 'connect: ECONNREFUSED\n' },
  // While the other one lives. Without a device of its own it sees the machine's.
  flock: { missing: { 'private-devices': /^(\/dev\/null\n)?$/ } },
  'record-locks': { says: '0\n' },
  leases: { says: '1\n' },
  'access-time': { says: '0\ntouch: EACCES\n' },
  inotify: { says: '1\n' },
  'inotify-share': { says: '1\n' },
  'inotify-watches': { says: '1\n' },
  'pending-signals': { says: '4096\n', missing: { 'private-quotas': '512\n' } },
  'locked-memory': { says: '1\n' },
  'pipe-share': { says: '80\n' },
  keyring: {},
  'host-name': { says: 'set: EPERM\nenvicutor\n' },
  'process-numbers': { says: '1\n' },
  'inode-numbers': { says: '1\n' },
  signals: { says: '0\n' },
  'open-files-of-others': { says: '0\n' },
  'device-files': { says: 'mode: EROFS\nopen: ok\n' },
  'kernel-settings': { says: /^shmmni: (EACCES|EROFS)\nport range: (EACCES|EROFS)\n$/ },
  'page-residency': { says: '1\n' },
};
