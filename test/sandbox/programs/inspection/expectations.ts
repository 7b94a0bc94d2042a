/**
 * What each program of this folder must get; its own first comment says what it tries: programs that look around.
 * Never a duration: see ../expectation.ts for what a row means.
 */
import type { Expectation } from '../expectation.ts';

/** The table; a key is a program's name. */
export const inspection: Readonly<Record<string, Expectation>> = {
  processes: { says: 'me\n' },
  'kernel-files': {},
  'host-figures': { says: 'stat stays\nand tells cores\n0.00 0.00 0.00 1/1 1\nwrite: EACCES\n' },
  'kernel-addresses': {},
  'physical-pages': { says: '0\n' },
  'host-paths': {},
  sysfs: { says: '0\n' },
  'device-list': { says: 'fd\nfull\nnull\nrandom\nshm\nstderr\nstdin\nstdout\nurandom\nzero\n' },
  'own-environment': { says: 'ONLY=this\n0 0 022 0 0\n', environment: { ONLY: 'this' } },
  identity: { says: '1000 1000 1000 0 0\n1 -1\n' },
  names: { says: 'envicutor .\n' },
  'network-devices': { says: /^(lo\n)?0\n$/ },
  'mounts-by-number': { says: 'listmount: ENOSYS\nstatmount: ENOSYS\n' },
  'limits-are-told': {
    says: '1048576 1\n100 1\n2097152 1\n1 1\n0 1\n0 1\n',
    limits: { fileSizeBytes: 1_048_576, openFiles: 100, stackBytes: 2_097_152 },
  },
  'cpu-count': { says: '1\nCpus_allowed_list:\t0\n', cpus: '0', notInGuest: 'noCpuset' },
  'mount-table': {},
  'clocks-and-chance': { says: 'random\n' },
  'free-space': { says: '16777216\n', limits: { diskBytes: 16_777_216 } },
  'pid-one': { says: 'status: ENOENT\nenviron: ENOENT\ndescriptors: ENOENT\nlimits: EPERM\nscheduler: EPERM\n' },
  'page-residency': { says: '1\ncachestat: ENOSYS\nread without waiting: EOPNOTSUPP\n' },
};
