/**
 * What tests know about the guest that they may run in (test/guest, test/guest-arm64): whether they do, and what its kernel can't show.
 * Never a reason to leave something out that is the launcher's own fault.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const guest = process.env['ENVICUTOR_GUEST'];

/** Set by what starts a guest: `root`, `person`, `systemd` or `arm64`. */
export const isGuest = guest !== undefined;

/** All but that for arm64, which has Debian's own kernel on an emulated machine. */
const isUserModeLinux = isGuest && guest !== 'arm64';

/** Made by test/guest/correct-kernel.py, where it knows the kernel. */
const isKernelCorrected = existsSync('/kernel/corrected');

/** How much longer a program's clocks may run there: one slow processor, and system calls that cost 50 µs, or 150 where the host sleeps between them; or an emulated one. */
export const patience = isGuest ? 12 : 1;

/** Why a test is left out of the guest; the last word on each is the same test on the host. */
export const kernelFaults = {
  forkKilled: 'user-mode Linux 6.12 panics when a fork is killed in the middle: it walks a half copied map of memory.',
  noCpuset: 'user-mode Linux has one processor and no cpuset.',
  addresses: 'a process of user-mode Linux has 512 GB of addresses.',
  slowStart: 'until a program there has set its terminal, more input than this test allows has come and gone.',
  gate: 'user-mode Linux does not serve the 32-bit gate.',
  noErofs: 'user-mode Linux, as Debian builds it, has no EROFS: layers are trees there.',
} as const;

/** One of them. */
export type KernelFault = keyof typeof kernelFaults;

/** Options of a test that this reason keeps out of the guest. */
export function notInGuest(reason: KernelFault | undefined): { readonly skip: string | false } {
  if (reason === 'forkKilled' && isKernelCorrected) return { skip: false };
  return { skip: isUserModeLinux && reason !== undefined && kernelFaults[reason] };
}

/** Where the launchers of this process make their cgroups: in the directory that is delegated to it, in the guest; else in the root. */
export function delegatedCgroup(): string {
  const own = /^0::(\/.*)$/m.exec(isGuest ? readFileSync('/proc/self/cgroup', 'utf8') : '')?.[1] ?? '/';
  return join('/sys/fs/cgroup', own.replace(/\/launcher-[^/]*$/, ''));
}
