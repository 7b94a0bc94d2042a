/**
 * Owns turning a request into an order, for leases and for what an agent runs for its own site: limits resolved, variables merged, layers named.
 * Never changes what the client asked for. Invariant: the same request, environment and layers give the same order.
 */
import type { ExecutionRequest } from '../model/execution.ts';
import { type AllLimits, type LimitPurpose, type Limits, resolveLimits } from '../model/limits.ts';
import type { LayerReference } from '../model/manifest.ts';
import type { LeaseOrderMessage, OrderInput } from './coordinator-messages.ts';

/** What an order is about, beside the request. */
export interface OrderTerms {
  readonly executionId: string;
  readonly tenantId: string;
  /** The request's environment, as its description says. */
  readonly environment: { readonly id: string; readonly variables: Readonly<Record<string, string>> };
  readonly layers: readonly LayerReference[];
  readonly isOutputStreamed: boolean;
  /** Files that the request names by their ids; absent: it names none. */
  readonly inputs?: readonly OrderInput[];
  /** Files that it leaves and that are to be sent; absent: none. */
  readonly collect?: LeaseOrderMessage['collect'];
}

/** The order; limits were checked against the maxima before. */
export function toOrder(
  { files = [], compile, run }: ExecutionRequest,
  { executionId, tenantId, environment, layers, isOutputStreamed, inputs = [], collect }: OrderTerms,
  maxima: AllLimits,
): LeaseOrderMessage {
  const { id, variables } = environment;
  const limits = (asked: Limits | undefined, purpose: LimitPurpose) =>
    resolveLimits(asked ?? {}, purpose, maxima).limits;
  return {
    executionId,
    tenantId,
    layers: [...layers],
    files,
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
    isOutputStreamed,
    ...(inputs.length === 0 ? {} : { inputs: [...inputs] }),
    ...(collect === undefined ? {} : { collect }),
    environment: { id, variables: { ...variables } },
  };
}
