/**
 * Owns a collector that takes spans as OTLP over HTTP and keeps them for a test. Never sends them on.
 */
import { EventEmitter, once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A span as it came, with the service that told it. */
export interface CollectedSpan {
  readonly service: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];
}

interface Body {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: CollectedSpan['attributes'] };
    readonly scopeSpans: readonly { readonly spans: readonly CollectedSpan[] }[];
  }[];
}

/** See the head of this file. */
export class SpanCollector {
  readonly spans: CollectedSpan[] = [];
  /** What it answers. */
  status = 200;
  readonly #heard = new EventEmitter();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer(async (request, response) => {
      const body = JSON.parse(await text(request)) as Body;
      response.writeHead(this.status, { 'content-type': 'application/json' }).end('{}');
      for (const { resource, scopeSpans } of body.resourceSpans) {
        const named = resource.attributes.find(({ key }) => key === 'service.name');
        const service = String(named?.value['stringValue']);
        for (const { spans } of scopeSpans) for (const span of spans) this.spans.push({ ...span, service });
      }
      this.#heard.emit('spans');
    });
  }

  static async start(): Promise<SpanCollector> {
    const collector = new SpanCollector();
    collector.#server.listen(0, '127.0.0.1');
    await once(collector.#server, 'listening');
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1/traces`;
  }

  /** Resolves when what came is enough. */
  async until(isEnough: (spans: readonly CollectedSpan[]) => boolean): Promise<void> {
    while (!isEnough(this.spans)) await once(this.#heard, 'spans');
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
