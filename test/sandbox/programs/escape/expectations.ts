/**
 * What each program of this folder must get; its own first comment says what it tries: programs that reach for the host and for more rights.
 * Never a duration: see ../expectation.ts for what a row means.
 */
import type { Expectation } from '../expectation.ts';

/** Ports, segments and a gate for 32 bits: arm64 has none of them. */
const hasGate = process.arch === 'x64';

/** The table; a key is a program's name. */
export const escapes: Readonly<Record<string, Expectation>> = {
  'namespaces-by-unshare': {
    says: 'unshare: EPERM\nunshare: EPERM\nunshare: EPERM\nunshare: EPERM\nunshare: EPERM\nunshare: EPERM\nunshare: EPERM\nunshare: EPERM\n',
  },
  'namespaces-by-clone': {
    says: 'clone: EPERM\nclone: EPERM\nclone: EPERM\nclone: EPERM\nclone: EPERM\nclone: EPERM\nclone: EPERM\n',
  },
  'namespaces-by-clone3': { says: 'clone3: ENOSYS\n' },
  'namespaces-high-bits': { says: 'clone: EPERM\nunshare: EPERM\n' },
  'raise-max-namespaces': { says: /^user: EACCES\nkernel: (ENOENT|EACCES)\n$/ },
  setns: { says: 'init: ENOENT\npidfd: EPERM\nown: EPERM\n' },
  'pidfd-namespaces': {},
  'namespace-parents': { says: "user's parent: EPERM\npid's parent: EPERM\nnet's owner: EPERM\n" },
  'mount-old': { says: 'tmpfs: EPERM\nbind: EPERM\nremount: EPERM\nproc: EPERM\npropagation: EPERM\numount: EPERM\n' },
  'mount-new': {
    says: 'fsopen: EPERM\nfspick: EPERM\nopen_tree: EPERM\nmove_mount: EPERM\nmount_setattr: EPERM\nopen_tree_attr: ENOSYS\n',
  },
  'change-root': { says: 'chroot: EPERM\npivot_root: EPERM\nbeside: ENOENT\n' },
  'root-of-others': {
    says: 'root: ENOENT\ncwd: ENOENT\nexe: ENOENT\nmemory: ENOENT\nmap_files: ENOENT\nby pidfd: EPERM\n',
  },
  'overwrite-launcher': { says: 'self: EACCES\nattack: EACCES\nremove: EACCES\n' },
  descriptors: { says: '/environment/workspace\n' },
  'ptrace-init': { says: 'attach: EPERM\nseize: EPERM\nread: EPERM\nwrite: EPERM\n' },
  'signal-init': { says: 'kill: EPERM\nstop: EPERM\nqueue: EPERM\nthread: EPERM\npidfd: EPERM\nparent: EPERM\n' },
  'signal-everyone': { says: 'everyone: ok\nthe child\nagain: ESRCH\n' },
  'foreign-calls': { says: hasGate ? 'ENOSYS\nENOSYS\nENOSYS\nENOSYS\nENOSYS\n' : '', notInGuest: 'gate' },
  'x32-calls': {
    says: 'x32: ENOSYS\nx32: ENOSYS\nx32: ENOSYS\nx32: ENOSYS\nx32: ENOSYS\nx32: ENOSYS\nx32: ENOSYS\nx32: ENOSYS\n',
  },
  'newest-calls': {},
  'kernel-programs': { says: 'bpf: EPERM\nperf: EPERM\nsocket filter: EPERM\nreuseport: EPERM\nbpf socket: EPERM\n' },
  'io-uring': { says: 'setup: ENOSYS\nenter: ENOSYS\nregister: ENOSYS\n' },
  userfaultfd: { says: 'userfaultfd: EPERM\ndevice: ENOENT\nfuse: ENOENT\n' },
  'address-families': {
    says: 'vsock: EAFNOSUPPORT\nnetlink: EPROTONOSUPPORT\npacket: EPROTONOSUPPORT\nalg: EAFNOSUPPORT\nhigh bits: EAFNOSUPPORT\npair: EAFNOSUPPORT\n',
  },
  protocols: { says: 'raw: EPERM\npacket by its old name: EPERM\ntcp: ok\nudp: ok\n' },
  'network-power': {
    says: /^down: EPERM\naddress: EPERM\nroute: EPERM\niptables: (EPERM|ENOPROTOOPT)\ntun: ENOENT\n$/,
  },
  'network-reach': {
    says: '169.254.169.254: ENETUNREACH\n10.0.0.1: ENETUNREACH\n172.17.0.1: ENETUNREACH\n192.168.0.1: ENETUNREACH\n198.18.0.1: ENETUNREACH\n8.8.8.8: ENETUNREACH\ncoordinator: ECONNREFUSED\n',
  },
  devices: { says: 'disk: EPERM\nnull: EPERM\nmemory: EPERM\nin /dev: EROFS\n' },
  'terminal-injection': {
    says: 'TIOCSTI: EPERM\nhigh bits: EPERM\nmore high bits: EPERM\nTIOCLINUX: EPERM\ncontrolling terminal: ENOTTY\n',
  },
  'become-root': {
    says: 'setuid: EPERM\nsetresuid: EPERM\nsetgid: EPERM\nsetgroups: EPERM\nsetfsuid: EPERM\nmap: EPERM\nchown: EPERM\n',
  },
  capabilities: {
    says: 'capset: EPERM\nambient: EPERM\nkeep: EPERM\nsecurebits: EPERM\nnew privileges: EINVAL\n1 2\n',
  },
  'set-id-program': { says: '1000\n' },
  'kernel-control': {
    says: 'reboot: EPERM\nkexec: EPERM\nmodule: EPERM\nmodule file: EPERM\nswapon: EPERM\nacct: EPERM\nclock: EPERM\nadjust: EPERM\nname: EPERM\nsyslog: EPERM\nhangup: EPERM\nquota: EPERM\n',
  },
  'kernel-settings': { says: 'remake: ENOENT\n' },
  sysrq: { says: '0\n' },
  'file-handles': { says: 'name: EPERM\nopen: EPERM\n' },
  'overlay-marks': { says: 'trusted: EPERM\nsecurity: EINVAL\nwhiteout: EPERM\nmoved: ENOENT\n' },
  'write-the-layers': { says: 'remove: EACCES\nreplace: EACCES\nwrite: EACCES\nmake: EACCES\nsystem: EROFS\n' },
  personality: {
    says: 'READ_IMPLIES_EXEC: EPERM\n32 bits: EPERM\nhigh bits: EPERM\nSVR4: EPERM\nnull page: EPERM\n0\n',
  },
  'processor-ports': { says: `${hasGate ? 'iopl: EPERM\nioperm: EPERM\nldt: EPERM\n' : ''}msr: ENOENT\n` },
  'memory-placement': {
    says: /^mbind: EPERM\nmigrate: EPERM\nmove: EPERM\npoison: (EPERM|EINVAL)\noffline: (EPERM|EINVAL)\nsecret: ENOSYS\n$/,
  },
  'random-pool': { says: 'add: EPERM\nclear: EPERM\nreseed: EPERM\n' },
  'system-log': { says: 'daemon: ENOENT\njournal: ENOENT\nkernel: ENOENT\nread: EPERM\n' },
  'set-listener': { says: 'filter: ok\nstill refused: EPERM\nunfilter: EINVAL\n' },
  'symlink-escape': { says: 'by /proc: ENOENT\nby dots: ENOENT\nhard link to a layer: EPERM\nour passwd\n' },
};
