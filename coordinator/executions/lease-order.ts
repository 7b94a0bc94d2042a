/**
 * Owns the order for an execution of ours: what it is about, as the protocol's own `toOrder` wants it said.
 * Never changes what the client asked for.
 */
import type { AllLimits } from '../../shared/model/limits.ts';
import type { LayerReference } from '../../shared/model/manifest.ts';
import type { LeaseOrderMessage } from '../../shared/protocol/coordinator-messages.ts';
import { toOrder } from '../../shared/protocol/lease-order.ts';
import type { ReadyEnvironment } from '../environments/environment-build.ts';
import type { LiveExecution } from './live-execution.ts';

/** The order for one execution in this environment on these layers; limits were checked against the maxima before. */
export function toLeaseOrder(
  { id: executionId, terms, files }: LiveExecution,
  environment: ReadyEnvironment,
  layers: readonly LayerReference[],
  maxima: AllLimits,
): LeaseOrderMessage {
  const { tenantId, request, isStreamed: isOutputStreamed } = terms;
  return toOrder(request, { executionId, tenantId, environment, layers, isOutputStreamed, ...files.toOrder() }, maxima);
}
