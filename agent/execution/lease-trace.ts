/**
 * Owns what a trace shows of one lease at its agent: the lease, fetching, each script, and what its sandbox did: take, mount, exec, run, collect. It goes on
 * with the trace that the order names. Never decides anything, and knows nothing of who hears it.
 */
import type { Clock } from '../../shared/clock.ts';
import type { LeaseResultMessage } from '../../shared/protocol/agent-messages.ts';
import type { LaunchReport } from '../../shared/sandbox/sandbox.ts';
import { fromTraceparent } from '../../shared/tracing/traceparent.ts';
import type { SpanAttributes, TraceContext, Tracer } from '../../shared/tracing/tracer.ts';

/** Whose lease it is. */
export interface TracedLease {
  readonly lease: string;
  readonly slot: number;
  readonly order: { readonly executionId: string; readonly tenantId: string; readonly trace?: string };
}

/** See the head of this file; made when the lease is accepted. */
export class LeaseTrace {
  readonly #tracer: Tracer;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #offsetMs: number;
  readonly #context: TraceContext;
  readonly #parentSpanId: string;
  readonly #attributes: SpanAttributes;
  readonly #startMs: number;

  private constructor(
    tracer: Tracer,
    clock: Pick<Clock, 'nowMs' | 'monotonicMs'>,
    parent: TraceContext,
    context: TraceContext,
    { lease, slot, order }: TracedLease,
  ) {
    this.#tracer = tracer;
    this.#clock = clock;
    // Fractions come from the monotonic clock.
    this.#offsetMs = clock.nowMs() - clock.monotonicMs();
    this.#context = context;
    this.#parentSpanId = parent.spanId;
    this.#attributes = {
      ...{ 'envicutor.execution.id': order.executionId, 'envicutor.tenant.id': order.tenantId },
      ...{ 'envicutor.lease.id': lease, 'envicutor.slot': slot },
    };
    this.#startMs = this.#nowMs();
  }

  /** Null: the order belongs to no trace, or nobody looks here. */
  static begin(tracer: Tracer, clock: Pick<Clock, 'nowMs' | 'monotonicMs'>, traced: TracedLease): LeaseTrace | null {
    const named = fromTraceparent(traced.order.trace);
    const context = named === null || !named.isSampled ? null : tracer.begin(named.context);
    return named === null || context === null ? null : new LeaseTrace(tracer, clock, named.context, context, traced);
  }

  #nowMs(): number {
    return this.#offsetMs + this.#clock.monotonicMs();
  }

  #record(
    name: string,
    parent: TraceContext,
    [startMs, endMs]: readonly [startMs: number, endMs: number],
    isFailed = false,
  ): TraceContext | null {
    const context = this.#tracer.begin(parent);
    if (context === null) return null;
    this.#tracer.record({
      ...{ name, context, parentSpanId: parent.spanId, kind: 'internal', startMs, endMs },
      ...{ attributes: this.#attributes, isFailed },
    });
    return context;
  }

  /** Layers and files are there. */
  fetched(): void {
    this.#record('fetch', this.#context, [this.#startMs, this.#nowMs()]);
  }

  /** A script is with the launcher; the answer is to be called with its report. */
  began(script: string): (report: LaunchReport) => void {
    const startMs = this.#nowMs();
    return (report) => {
      const endMs = this.#nowMs();
      const context = this.#record(script, this.#context, [startMs, endMs]);
      if (context === null) return;
      let fromMs = startMs;
      const steps = {
        ...{ take: report.takeMs, mount: report.mountMs, exec: report.execMs },
        ...{ run: report.wallTimeMs, collect: report.collectMs },
      };
      // One after the other, as the launcher does them; how long each took it says itself.
      for (const [step, ms] of Object.entries(steps)) {
        this.#record(`sandbox ${step}`, context, [fromMs, fromMs + ms]);
        fromMs += ms;
      }
    };
  }

  /** The lease is over; null: without a result. */
  ended(result: Pick<LeaseResultMessage, 'verdict' | 'failure'> | null): void {
    const verdict = result?.verdict ?? null;
    this.#tracer.record({
      ...{ name: 'agent lease', context: this.#context, parentSpanId: this.#parentSpanId, kind: 'consumer' },
      ...{ startMs: this.#startMs, endMs: this.#nowMs(), isFailed: (result?.failure ?? null) !== null },
      attributes: { ...this.#attributes, ...(verdict === null ? {} : { 'envicutor.verdict': verdict }) },
    });
  }
}
