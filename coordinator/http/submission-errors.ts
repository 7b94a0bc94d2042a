/**
 * Owns the list of what submissions may be refused by, one or a batch. Never holds what every request may be refused by.
 */
import type { ErrorCode } from '../../shared/errors.ts';

/** What a submission may be refused by, besides what every request may. */
export const submissionErrors = [
  'draining',
  'environment-not-found',
  // Of an edge, which serves this too (docs/edge.md).
  'environment-not-held',
  'file-not-found',
  'idempotency-key-reused',
  'limit-above-maximum',
  'no-agent',
  'queue-full',
  'quota-exceeded',
  'rate-exceeded',
] as const satisfies readonly ErrorCode[];
