/**
 * Owns relaying one upgrade to another coordinator: its answer comes back as it is, and then bytes go both ways until either end is gone.
 * Never looks into a WebSocket. Invariant: what one side does not read the other is not asked for.
 */
import { type IncomingMessage, request as openHttp } from 'node:http';
import { request as openHttps } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** An upgrade that has not been answered. */
export interface PendingUpgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

const ANSWER_MS_MAX = 10_000;

function toHead({ httpVersion, statusCode, statusMessage, rawHeaders }: IncomingMessage): string {
  const lines = [`HTTP/${httpVersion} ${statusCode} ${statusMessage}`];
  for (let at = 0; at < rawHeaders.length; at += 2) lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function join(one: Duplex, other: Duplex): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.on('error', () => undefined);
    from.on('close', () => to.destroy());
    from.pipe(to);
    (from as Partial<Socket>).setNoDelay?.(true);
    (from as Partial<Socket>).setTimeout?.(0);
  }
}

/** Where it goes. */
export interface Relayed {
  readonly url: string;
  readonly headers: Record<string, string | string[]>;
  /** Ends it whenever that is aborted. */
  readonly over: AbortSignal;
  /** By whom a coordinator is known that serves over TLS. */
  readonly ca: string | undefined;
}

/** Relays it; rejects when the other coordinator does not answer. */
export function relayUpgrade({ request, socket, head }: PendingUpgrade, to: Relayed): Promise<void> {
  const { url, headers, over, ca } = to;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const open = url.startsWith('https:') ? openHttps : openHttp;
  const outgoing = open(new URL(request.url ?? '/', url), {
    headers: { ...headers, connection: 'Upgrade', upgrade: request.headers.upgrade ?? 'websocket' },
    timeout: ANSWER_MS_MAX,
    signal: over,
    agent: false,
    ...(ca !== undefined && { ca }),
  });
  const leave = () => outgoing.destroy();
  socket.once('close', leave);
  outgoing.on('timeout', leave);
  outgoing.on('error', reject);
  outgoing.on('upgrade', (answer, upstream, upstreamHead) => {
    socket.off('close', leave);
    over.addEventListener('abort', () => upstream.destroy(), { once: true });
    socket.write(toHead(answer));
    if (upstreamHead.length > 0) socket.write(upstreamHead);
    if (head.length > 0) upstream.write(head);
    join(socket, upstream);
    resolve();
  });
  outgoing.on('response', (answer) => {
    socket.write(toHead(answer));
    answer.pipe(socket);
    resolve();
  });
  outgoing.end();
  return promise;
}
