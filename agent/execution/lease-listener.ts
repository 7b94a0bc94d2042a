/**
 * Owns what an execution says to the coordinator while it runs: that it runs, its output, its tests, how far a fetch is. All of it may be lost.
 * Never says what came of it: that is the result's.
 */
import type { Logger } from '../../shared/logger.ts';
import type { AgentMessage } from '../../shared/protocol/agent-messages.ts';
import type { TokenBucket } from '../../shared/token-bucket.ts';
import type { LayerNews } from '../layers/layer-news.ts';
import type { ExecutionListener } from './executor.ts';
import { OutputPace } from './output-pace.ts';
import type { PaceClock } from './pace.ts';

/** Where it is said. */
export interface LeaseListenerNeeds {
  readonly send: (message: AgentMessage) => unknown;
  readonly logger: Pick<Logger, 'info'>;
  readonly layers: Pick<LayerNews, 'atIntervals'>;
  readonly clock: PaceClock;
  /** What all leases of the agent may tell together. */
  readonly pace: TokenBucket;
}

/** Hears an execution, and says what it has heard at the latest when it is told to: before the result is. */
export interface LeaseListener extends ExecutionListener {
  flush(): void;
}

/** Whose it is. */
export interface ListenedLease {
  readonly lease: string;
  readonly executionId: string;
  readonly slot: number;
}

/** A listener for one lease; `running` is called when the processor has nothing else to do for it. */
export function toLeaseListener(
  { send, logger, layers, clock, pace: shared }: LeaseListenerNeeds,
  { lease, executionId, slot }: ListenedLease,
  running: () => void,
): LeaseListener {
  const pace = new OutputPace(clock, shared, (script, stream, bytes) =>
    send({ type: 'lease.output', lease, script, stream, data: bytes.toString('base64') }),
  );
  return {
    fetching: layers.atIntervals((bytes, bytesTotal) => {
      send({ type: 'lease.fetching', lease, bytes, bytesTotal });
      if (bytes === bytesTotal) logger.info({ lease, executionId, bytes }, 'layers fetched');
    }),
    running: () => {
      send({ type: 'lease.stage', lease, stage: 'running' });
      logger.info({ lease, executionId, slot }, 'lease running');
      running();
    },
    output: (script, stream, chunk) => pace.output(script, stream, chunk),
    flush: () => pace.flush(),
    tested: (index, test) => send({ type: 'lease.tested', lease, index, test }),
  };
}
