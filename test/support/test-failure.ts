/**
 * Owns why a test failed, in the assertion's own words: the runner wraps them in an error of its own.
 * Never tells the stack: one of a guest names paths that the host has not.
 */

/** Of the error that the runner gives a failed test. */
export function describeFailure(error: Error | undefined): string {
  return error?.cause instanceof Error ? error.cause.message : String(error?.cause ?? error?.message);
}
