/**
 * Owns the text form of a place in a trace: the header `traceparent` of W3C Trace Context. Pure.
 * Never refuses a request for a header that is none: as the standard says, a new trace begins then.
 */
import type { TraceContext } from './tracer.ts';

/** What may be one, as a pattern of schemas: version 00, sampled. */
export const TRACEPARENT = '^00-[0-9a-f]{32}-[0-9a-f]{16}-01$';

/** A place that somebody else named, and whether it is looked at there. */
export interface NamedPlace {
  readonly context: TraceContext;
  readonly isSampled: boolean;
}

const form = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** The place that a header names; null: it names none. */
export function fromTraceparent(text: string | undefined): NamedPlace | null {
  const [, version, traceId = '', spanId = '', flags = '', rest] = form.exec(text ?? '') ?? [];
  // Version 00 has nothing after its flags; later ones may.
  if (version === undefined || (version === '00' && rest !== undefined)) return null;
  return { context: { traceId, spanId }, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** The text of a place that is looked at. */
export function toTraceparent({ traceId, spanId }: TraceContext): string {
  return `00-${traceId}-${spanId}-01`;
}
