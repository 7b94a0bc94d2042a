/**
 * Owns the statuses of Judge0's protocol: numbers and sentences of the wire. Never decides which one an execution has (judge0-outcome).
 */

// biome-ignore format: a table is read by column
const descriptions = {
  1:  'In Queue',
  2:  'Processing',
  3:  'Accepted',
  4:  'Wrong Answer',
  5:  'Time Limit Exceeded',
  6:  'Compilation Error',
  7:  'Runtime Error (SIGSEGV)',
  8:  'Runtime Error (SIGXFSZ)',
  9:  'Runtime Error (SIGFPE)',
  10: 'Runtime Error (SIGABRT)',
  11: 'Runtime Error (NZEC)',
  12: 'Runtime Error (Other)',
  13: 'Internal Error',
  14: 'Exec Format Error',
} as const;

/** A number of the wire. */
export type StatusId = keyof typeof descriptions;

/** One as it is answered. */
export function toStatus(id: StatusId): { id: StatusId; description: string } {
  return { id, description: descriptions[id] };
}

/** All of them. */
export const allStatuses = Object.keys(descriptions).map((id) => toStatus(Number(id) as StatusId));
