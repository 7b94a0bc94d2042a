/**
 * Owns turning a request into an order, for leases and for what an agent runs for its own site: limits resolved, variables merged, layers named.
 * Never changes what the client asked for. Invariant: the same request, environment and layers give the same order.
 */
import { toCourse } from '../judging/course.ts';
import { resolveCases, resolveCheck } from '../judging/resolved.ts';
import { resolveCheckLimits } from '../model/check-limits.ts';
import { toMemoryClaim } from '../model/claim.ts';
import type { ExecutionRequest } from '../model/execution.ts';
import { type AllLimits, resolveLimits } from '../model/limits.ts';
import type { LayerReference } from '../model/manifest.ts';
import type { LeaseOrderMessage, TestsOrder } from './coordinator-messages.ts';
import type { TerminalOrder } from './terminal-flow.ts';

/** What an order is about, beside the request. */
export interface OrderTerms {
  readonly executionId: string;
  readonly tenantId: string;
  /** The request's environment, as its description says. */
  readonly environment: { readonly id: string; readonly variables: Readonly<Record<string, string>> };
  readonly layers: readonly LayerReference[];
  /** Of a check program with an environment of its own; absent: it has the solution's. */
  readonly check?: Pick<OrderTerms, 'environment' | 'layers'> | undefined;
  readonly isOutputStreamed: boolean;
  /** The terminal of an interactive one. */
  readonly terminal?: TerminalOrder;
}

/** The order; limits were checked against the maxima before. */
export function toOrder(request: ExecutionRequest, terms: OrderTerms, maxima: AllLimits): LeaseOrderMessage {
  const { files = [], run } = request;
  const { executionId, tenantId, environment, layers, isOutputStreamed, terminal } = terms;
  const { id, variables } = environment;
  const tests = toTestsOrder(request, terms, maxima);
  return {
    executionId,
    tenantId,
    layers: [...layers],
    files,
    compile: toCompileOrder(request.compile, variables, maxima),
    run: {
      script: run.script,
      arguments: run.arguments ?? [],
      stdin: run.stdin ?? '',
      stdinEncoding: run.stdinEncoding ?? 'utf8',
      variables: { ...variables, ...run.variables },
      limits: resolveLimits(run.limits ?? {}, 'run', maxima).limits,
    },
    isOutputStreamed,
    ...(tests === null ? {} : { tests }),
    environment: { id, variables: { ...variables } },
    ...(terminal !== undefined && { terminal }),
  };
}

function toCompileOrder(
  compile: ExecutionRequest['compile'],
  variables: Readonly<Record<string, string>>,
  maxima: AllLimits,
): LeaseOrderMessage['compile'] {
  if (compile === undefined) return null;
  return {
    script: compile.script,
    variables: { ...variables, ...compile.variables },
    limits: resolveLimits(compile.limits ?? {}, 'compile', maxima).limits,
  };
}

function toTestsOrder(request: ExecutionRequest, terms: OrderTerms, maxima: AllLimits): TestsOrder | null {
  const { tests, testsAtOnce = 1 } = request;
  if (tests === undefined) return null;
  const { requires, stopAfterFailures } = toCourse(request);
  return {
    cases: resolveCases(request).map((one) => ({ ...one, arguments: [...one.arguments] })),
    requires: Object.fromEntries(Object.entries(requires).map(([group, needed]) => [group, [...needed]])),
    stopAfterFailures,
    atOnce: testsAtOnce,
    check: toCheckOrder(request, terms, maxima),
  };
}

function toCheckOrder(
  request: ExecutionRequest,
  { environment, layers, check: own }: OrderTerms,
  maxima: AllLimits,
): TestsOrder['check'] {
  const check = resolveCheck(request);
  if (!('run' in check)) return check;
  const { kind, files = [], compile, run } = check;
  const { id, variables } = own?.environment ?? environment;
  return {
    kind,
    files,
    layers: [...(own?.layers ?? layers)],
    environment: { id, variables: { ...variables } },
    compile: toCompileOrder(compile, variables, maxima),
    run: {
      script: run.script,
      arguments: run.arguments ?? [],
      variables: { ...variables, ...run.variables },
      limits: resolveCheckLimits(check, request.run.limits, maxima),
    },
  };
}

/** Every layer that an order needs. */
export function layersOf({ layers, tests }: Pick<LeaseOrderMessage, 'layers' | 'tests'>): readonly LayerReference[] {
  return tests !== undefined && 'layers' in tests.check ? [...layers, ...tests.check.layers] : layers;
}

/** Limits of every script of an order. */
export function limitsOf({ compile, run, tests }: Pick<LeaseOrderMessage, 'compile' | 'run' | 'tests'>): AllLimits[] {
  const check = tests !== undefined && 'layers' in tests.check ? tests.check : null;
  return [compile?.limits, run.limits, check?.compile?.limits, check?.run.limits].filter(
    (limits) => limits !== undefined,
  );
}

/** The memory that an order may hold; bytes. */
export function toOrderClaim({ compile, run, tests }: Pick<LeaseOrderMessage, 'compile' | 'run' | 'tests'>): number {
  const check = tests?.check;
  const checkLimits =
    check === undefined || !('layers' in check)
      ? null
      : { isBeside: check.kind === 'interactor', compile: check.compile?.limits ?? null, run: check.run.limits };
  return toMemoryClaim(compile?.limits ?? null, run.limits, checkLimits);
}
