/**
 * Owns what a trace shows of one execution at the coordinator: the request, the execution, each time that it waited, each lease. Spans are told when
 * they are over, with the times of one clock. Never decides anything, and knows nothing of who hears it.
 */
import type { Clock } from '../../shared/clock.ts';
import type { Stage } from '../../shared/lifecycle/execution.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { fromTraceparent, toTraceparent } from '../../shared/tracing/traceparent.ts';
import type { Span, SpanAttributes, TraceContext, Tracer } from '../../shared/tracing/tracer.ts';

/** Wall-clock time with the fractions of the monotonic one. */
class SpanClock {
  readonly #clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
  readonly #offsetMs: number;

  constructor(clock: Pick<Clock, 'nowMs' | 'monotonicMs'>) {
    this.#clock = clock;
    this.#offsetMs = clock.nowMs() - clock.monotonicMs();
  }

  now(): number {
    return this.#offsetMs + this.#clock.monotonicMs();
  }
}

/** A request that asks for an execution. */
export class RequestTrace {
  readonly #tracer: Tracer;
  readonly #clock: SpanClock;
  readonly #startMs: number;
  readonly #parentSpanId: string | null;
  readonly #context: TraceContext;

  private constructor(tracer: Tracer, clock: SpanClock, parent: TraceContext | null, context: TraceContext) {
    this.#tracer = tracer;
    this.#clock = clock;
    this.#startMs = clock.now();
    this.#parentSpanId = parent?.spanId ?? null;
    this.#context = context;
  }

  /** Null: nobody looks. `traceparent`: the request's header. */
  static begin(
    tracer: Tracer,
    clock: Pick<Clock, 'nowMs' | 'monotonicMs'>,
    traceparent: string | undefined,
  ): RequestTrace | null {
    const named = fromTraceparent(traceparent);
    if (named !== null && !named.isSampled) return null;
    const parent = named?.context ?? null;
    const context = tracer.begin(parent);
    return context === null ? null : new RequestTrace(tracer, new SpanClock(clock), parent, context);
  }

  /** Its execution was accepted. */
  accepted(executionId: string, tenantId: string): ExecutionTrace | null {
    const context = this.#tracer.begin(this.#context);
    if (context === null) return null;
    const place = { context, parentSpanId: this.#context.spanId };
    return new ExecutionTrace(this.#tracer, this.#clock, place, { executionId, tenantId });
  }

  /** It was answered. */
  answered(name: string, status: number): void {
    this.#tracer.record({
      ...{ name, kind: 'server', context: this.#context, parentSpanId: this.#parentSpanId },
      ...{ startMs: this.#startMs, endMs: this.#clock.now(), isFailed: status >= 500 },
      attributes: { 'http.response.status_code': status },
    });
  }
}

interface Place {
  readonly context: TraceContext;
  readonly parentSpanId: string | null;
}

/** What a stage is called as a span, while nobody has a lease. */
const waits: Readonly<Partial<Record<Stage, string>>> = { queued: 'queue', building: 'build' };

/** An execution from acceptance to result. */
export class ExecutionTrace {
  readonly #tracer: Tracer;
  readonly #clock: SpanClock;
  readonly #place: Place;
  readonly #startMs: number;
  readonly #about: { readonly executionId: string; readonly tenantId: string };
  #sinceMs: number;
  #lease: TraceContext | null = null;
  #agent = '';

  constructor(tracer: Tracer, clock: SpanClock, place: Place, about: { executionId: string; tenantId: string }) {
    this.#tracer = tracer;
    this.#clock = clock;
    this.#place = place;
    this.#about = about;
    this.#startMs = clock.now();
    this.#sinceMs = this.#startMs;
  }

  get #attributes(): SpanAttributes {
    return { 'envicutor.execution.id': this.#about.executionId, 'envicutor.tenant.id': this.#about.tenantId };
  }

  /** What the order of a lease says, so that its agent goes on with the trace. */
  order(): { readonly trace?: string } {
    this.#lease = this.#tracer.begin(this.#place.context);
    return this.#lease === null ? {} : { trace: toTraceparent(this.#lease) };
  }

  /** It is with this agent now. */
  placed(agentId: string): void {
    this.#agent = agentId;
  }

  /** Its stage has changed. */
  moved(from: Stage, to: Stage): void {
    const wait = waits[from];
    if (wait !== undefined) this.#tell(wait, this.#tracer.begin(this.#place.context), {});
    else if (waits[to] === undefined && to !== 'finished' && to !== 'failed' && to !== 'cancelled') return;
    else this.#tell('lease', this.#lease, { 'envicutor.agent.id': this.#agent });
    this.#sinceMs = this.#clock.now();
    if (wait === undefined) this.#lease = null;
  }

  #tell(name: string, context: TraceContext | null, attributes: SpanAttributes): void {
    if (context === null) return;
    this.#record({
      ...{ name, context, parentSpanId: this.#place.context.spanId, kind: name === 'lease' ? 'producer' : 'internal' },
      ...{ startMs: this.#sinceMs, attributes: { ...this.#attributes, ...attributes }, isFailed: false },
    });
  }

  #record(span: Omit<Span, 'endMs'>): void {
    this.#tracer.record({ ...span, endMs: this.#clock.now() });
  }

  /** It has its result. */
  ended({ stage, verdict, attempts }: Pick<Execution, 'stage' | 'verdict' | 'attempts'>): void {
    const ending = {
      ...{ 'envicutor.stage': stage, 'envicutor.attempts': attempts },
      ...(verdict === null ? {} : { 'envicutor.verdict': verdict }),
    };
    this.#record({
      ...{ name: 'execution', ...this.#place, kind: 'internal', startMs: this.#startMs },
      ...{ attributes: { ...this.#attributes, ...ending }, isFailed: stage === 'failed' },
    });
  }
}
