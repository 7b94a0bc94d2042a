/**
 * Owns the order for an execution of ours: what it is about, as the protocol's own `toOrder` wants it said.
 * Never changes what the client asked for.
 */
import { SystemError } from '../../shared/errors.ts';
import type { AllLimits } from '../../shared/model/limits.ts';
import type { LeaseOrderMessage } from '../../shared/protocol/coordinator-messages.ts';
import { toOrder } from '../../shared/protocol/lease-order.ts';
import { findOrderExcess } from '../../shared/protocol/order-size.ts';
import type { EnvironmentService } from '../environments/environment-service.ts';
import type { ExecutionEnvironment } from './execution-environment.ts';
import type { LiveExecution } from './live-execution.ts';

/** Why no agent can be told of an execution, whose environments are ready; or null. */
export function orderObjectionTo({
  terms,
  own,
  check,
}: Pick<LiveExecution, 'terms' | 'own' | 'check'>): SystemError | null {
  const variables = { own: own.ready?.variables ?? {}, check: (check ?? own).ready?.variables ?? {} };
  const excess = findOrderExcess(terms.request, variables);
  return excess === null ? null : new SystemError('request-invalid', `${excess.pointer} ${excess.detail}`);
}

/** The order for one execution, whose environments are ready; limits were checked against the maxima before. */
export function toLeaseOrder(
  { id: executionId, terms, own, check, terminal, files, trace }: LiveExecution,
  environments: Pick<EnvironmentService, 'references'>,
  maxima: AllLimits,
): LeaseOrderMessage {
  const { tenantId, request, isStreamed: isOutputStreamed } = terms;
  const toPart = ({ ready, built }: ExecutionEnvironment) => {
    if (ready === null) throw new Error(`${executionId} is ordered without an environment`);
    return { environment: ready, layers: environments.references(ready, built) };
  };
  const optional = {
    ...(check === null ? {} : { check: toPart(check) }),
    ...(terminal === null ? {} : { terminal: terminal.order }),
    ...files.toOrder(),
  };
  const order = toOrder(request, { executionId, tenantId, ...toPart(own), ...optional, isOutputStreamed }, maxima);
  return trace === null ? order : { ...order, ...trace.order() };
}
