/**
 * Owns sending spans to a collector: OTLP over HTTP as JSON (OpenTelemetry Protocol 1.x, opentelemetry.io/docs/specs/otlp), in batches, by the way.
 * Never makes whoever records wait, never holds more than its bounds, and never retries: a collector that is away costs spans, nothing else.
 * Invariant: after `close` nothing is sent and no timer or connection is left.
 */
import type { Clock, Random, Timer } from '../clock.ts';
import type { Logger } from '../logger.ts';
import { RELEASE } from '../protocol/version.ts';
import { Agent, request } from '../undici.ts';
import type { Span, SpanAttributes, TraceContext, Tracer } from './tracer.ts';

/** What it needs. */
export interface OtlpTracerNeeds {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Pick<Logger, 'warn'>;
}

/** Where spans go and which. */
export interface OtlpTracerOptions {
  /** The whole URL, such as http://127.0.0.1:4318/v1/traces. */
  readonly url: string;
  /** `service.name` of all spans. */
  readonly service: string;
  /** `service.instance.id`: the machine's name, for example. */
  readonly instance: string;
  /** How many of a hundred traces that begin here are looked at; those that somebody else began say it themselves. */
  readonly percent: number;
}

const SPANS_MAX = 4096;
const BATCH_MAX = 512;
const LINGER_MS = 500;
const SEND_MS_MAX = 5000;

const kinds: Readonly<Record<Span['kind'], number>> = { internal: 1, server: 2, producer: 4, consumer: 5 };
const FAILED = 2;

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function toAttributes(attributes: SpanAttributes): object[] {
  return Object.entries(attributes).map(([key, value]) => {
    if (typeof value === 'string') return { key, value: { stringValue: value } };
    if (typeof value === 'boolean') return { key, value: { boolValue: value } };
    return { key, value: Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value } };
  });
}

/** Nanoseconds as the text of an integer: a number has not enough digits. */
function toNanoseconds(ms: number): string {
  const whole = Math.floor(ms);
  return String(BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1_000_000)));
}

function toWire({ name, context, parentSpanId, kind, startMs, endMs, attributes, isFailed }: Span): object {
  return {
    ...{ traceId: context.traceId, spanId: context.spanId, name, kind: kinds[kind] },
    ...(parentSpanId === null ? {} : { parentSpanId }),
    ...{ startTimeUnixNano: toNanoseconds(startMs), endTimeUnixNano: toNanoseconds(Math.max(startMs, endMs)) },
    attributes: toAttributes(attributes),
    ...(isFailed ? { status: { code: FAILED } } : {}),
  };
}

/** See the head of this file. */
export class OtlpTracer implements Tracer {
  readonly #needs: OtlpTracerNeeds;
  readonly #options: OtlpTracerOptions;
  readonly #agent = new Agent({ connections: 1, headersTimeout: SEND_MS_MAX, bodyTimeout: SEND_MS_MAX });
  #spans: Span[] = [];
  #lost = 0;
  #timer: Timer | null = null;
  #sending: Promise<void> | null = null;
  #isComplained = false;
  #isClosed = false;

  constructor(needs: OtlpTracerNeeds, options: OtlpTracerOptions) {
    this.#needs = needs;
    this.#options = options;
  }

  begin(parent: TraceContext | null): TraceContext | null {
    const { random } = this.#needs;
    if (parent === null && random.next() * 100 >= this.#options.percent) return null;
    return { traceId: parent?.traceId ?? toHex(random.bytes(16)), spanId: toHex(random.bytes(8)) };
  }

  record(span: Span): void {
    if (this.#isClosed) return;
    if (this.#spans.length >= SPANS_MAX) {
      this.#lost += 1;
      return;
    }
    this.#spans.push(span);
    this.#timer ??= this.#needs.clock.after(LINGER_MS, () => {
      this.#timer = null;
      void this.#flush();
    });
  }

  /** Sends what there is, a batch after the other; one at a time. */
  #flush(): Promise<void> {
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = null;
    });
    return this.#sending;
  }

  async #sendAll(): Promise<void> {
    while (this.#spans.length > 0) await this.#send(this.#spans.splice(0, BATCH_MAX));
  }

  async #send(spans: readonly Span[]): Promise<void> {
    const { url, service, instance } = this.#options;
    const named = { 'service.name': service, 'service.version': RELEASE, 'service.instance.id': instance };
    const scopeSpans = [{ scope: { name: 'envicutor', version: RELEASE }, spans: spans.map(toWire) }];
    const body = JSON.stringify({ resourceSpans: [{ resource: { attributes: toAttributes(named) }, scopeSpans }] });
    try {
      const headers = { 'content-type': 'application/json' };
      const answer = await request(url, { method: 'POST', headers, body, dispatcher: this.#agent });
      await answer.body.dump();
      if (answer.statusCode >= 300) throw new Error(`it answered ${answer.statusCode}`);
      this.#isComplained = false;
    } catch (error) {
      this.#complain(spans.length, error);
    }
  }

  /** Said once, until some were taken again. */
  #complain(count: number, error: unknown): void {
    this.#lost += count;
    if (this.#isComplained) return;
    this.#isComplained = true;
    const reason = error instanceof Error ? error.message : String(error);
    this.#needs.log.warn({ url: this.#options.url, lost: this.#lost, reason }, 'spans not taken by the collector');
  }

  /** Sends what is left, for a moment at most; then nothing any more. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#timer = null;
    await this.#flush();
    await this.#agent.destroy();
  }
}
