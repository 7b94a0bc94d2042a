/**
 * Owns the architectures of a release: `process.arch` of their machines, and how Debian's compilers for them are called.
 * Never knows which one this machine has: a compiler of that name exists on either.
 */

/** By `process.arch`. */
export const architectures = ['x64', 'arm64'] as const;
/** One of them. */
export type Architecture = (typeof architectures)[number];

/** Debian's compilers for them, on whatever machine. */
export const compilers: Readonly<Record<Architecture, string>> = {
  x64: 'x86_64-linux-gnu-gcc',
  arm64: 'aarch64-linux-gnu-gcc',
};
