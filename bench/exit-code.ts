/**
 * Owns what the suite's commands exit with.
 */

/** By meaning; those of sysexits.h where it has one. */
export const ExitCode = {
  fine: 0,
  /** A scenario did not finish, or something became worse. */
  problem: 1,
  /** What was asked makes no sense. */
  usage: 64,
  /** No instance answers. */
  unavailable: 69,
  interrupted: 130,
} as const;
