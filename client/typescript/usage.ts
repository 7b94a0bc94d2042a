/**
 * Owns the form of what a tenant is told of its use. Never counts.
 */

interface Measure {
  readonly used: number;
  /** Null: no bound. */
  readonly max: number | null;
}

/** What a tenant uses and may, and what it used. */
export interface Usage {
  readonly tenant: string;
  readonly now: {
    readonly concurrency: Measure;
    readonly queueDepth: Measure;
    readonly executionsPerMinute: Measure;
    readonly buildSeconds: Measure;
    readonly egressBytes: Measure;
    readonly storedBytes: Measure;
  };
  readonly dayEndsInSeconds: number;
  /** Newest first, in UTC. */
  readonly days: readonly {
    readonly day: string;
    readonly executions: number;
    readonly cpuMs: number;
    readonly wallMs: number;
    readonly buildMs: number;
    readonly egressBytes: number;
    readonly storedBytes: number;
  }[];
}
