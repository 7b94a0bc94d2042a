/**
 * Owns the names of signals as results spell them: SIGSEGV, and SIGRTMIN+n for real-time ones.
 * Never depends on the machine's libc: the numbers are the kernel's, of which the C library keeps 32 and 33 for itself.
 */
import { constants } from 'node:os';

const FIRST_REAL_TIME = 34;
const LAST_REAL_TIME = 64;

const byNumber = new Map<number, string>();
for (const [name, number] of Object.entries(constants.signals)) {
  // Of two names for one number (SIGABRT and SIGIOT) the table has the usual one first.
  if (!byNumber.has(number)) byNumber.set(number, name);
}

/** The name of a signal's number. */
export function toSignalName(number: number): string {
  if (number >= FIRST_REAL_TIME && number <= LAST_REAL_TIME) return `SIGRTMIN+${number - FIRST_REAL_TIME}`;
  return byNumber.get(number) ?? `SIG${number}`;
}
