/**
 * Owns turning a request into what an agent is told: limits resolved, variables merged, layers named.
 * Never changes what the client asked for. Invariant: the same request and layers give the same order.
 */
import { type AllLimits, type LimitPurpose, type Limits, resolveLimits } from '../../shared/model/limits.ts';
import type { LayerReference } from '../../shared/model/manifest.ts';
import type { LeaseOrderMessage } from '../../shared/protocol/coordinator-messages.ts';
import type { LiveExecution } from './live-execution.ts';

/** The order for one execution on these layers; limits were checked against the maxima before. */
export function toLeaseOrder(
  execution: LiveExecution,
  layers: readonly LayerReference[],
  maxima: AllLimits,
): LeaseOrderMessage {
  const { tenantId, request, isStreamed } = execution.terms;
  const { compile, run } = request;
  const variables = execution.environment?.variables ?? {};
  const limits = (asked: Limits | undefined, purpose: LimitPurpose) =>
    resolveLimits(asked ?? {}, purpose, maxima).limits;
  return {
    executionId: execution.id,
    tenantId,
    layers: [...layers],
    files: request.files ?? [],
    compile:
      compile === undefined
        ? null
        : {
            script: compile.script,
            variables: { ...variables, ...compile.variables },
            limits: limits(compile.limits, 'compile'),
          },
    run: {
      script: run.script,
      arguments: run.arguments ?? [],
      stdin: run.stdin ?? '',
      stdinEncoding: run.stdinEncoding ?? 'utf8',
      variables: { ...variables, ...run.variables },
      limits: limits(run.limits, 'run'),
    },
    isOutputStreamed: isStreamed,
  };
}
