/**
 * Owns the port for traces: what a span is, where it belongs, and who is told of one that is over. Whoever decides anything knows nothing of it.
 * Never sends anything (otlp-tracer does). Invariant: without a tracer nothing is made and nothing is kept.
 */

/** Where a span is: W3C Trace Context, in hexadecimal digits. */
export interface TraceContext {
  readonly traceId: string;
  readonly spanId: string;
}

/** Values of a span that people look for. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** Something that is over; milliseconds since 1970, with fractions. */
export interface Span {
  /** What it is called: a verb or a noun, never an id. */
  readonly name: string;
  readonly context: TraceContext;
  /** Null: it is the first of its trace. */
  readonly parentSpanId: string | null;
  readonly kind: 'internal' | 'server' | 'producer' | 'consumer';
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: SpanAttributes;
  /** Did it fail by a fault of ours? */
  readonly isFailed: boolean;
}

/** Who is told. */
export interface Tracer {
  /** A place for a span below this one, or of a new trace; null: nobody looks at this one. */
  begin(parent: TraceContext | null): TraceContext | null;
  /** A span is over. Never throws and never waits. */
  record(span: Span): void;
}

/** Nobody looks. */
export const noTracer: Tracer = { begin: () => null, record: () => undefined };
