/**
 * Owns the listeners: plain HTTP and TLS on inherited sockets, told apart by the first byte; TLS ended with a leaf for the name asked for.
 * Never dials (upstream) and never decides about a request (exchange, admission).
 * Invariant: a request's destination comes from its connection (port, TLS server name), and its Host header must agree.
 */
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, TLSSocket, type Server as TlsServer } from 'node:tls';
import { type Origin, toHostName } from './admission.ts';
import type { LeafIssuer } from './certificates.ts';
import { carryOut } from './exchange.ts';
import type { ExchangeContext } from './relay.ts';

const TLS_HANDSHAKE = 0x16;
const firstByteTimeoutMs = 60_000;
const handshakeTimeoutMs = 30_000;

/** The proxy of one build; `listen` with an inherited descriptor or, in tests, with port 0. */
export interface EgressProxy {
  /** Takes connections of the build's port `port` (80 or 443) from a listening socket. */
  listen(on: { readonly fd: number } | { readonly host: string; readonly port: number }, port: number): Server;
  /** Stops at once: answers under way are recorded as cut. Idempotent. */
  close(): void;
}

/** Makes the proxy; starts nothing. */
export function createEgressProxy(context: ExchangeContext, leaves: LeafIssuer): EgressProxy {
  const { ledger, config } = context;
  const origins = new WeakMap<Duplex, Origin>();
  const connections = new Set<Duplex>();
  const listeners: Server[] = [];
  const http = createHttp(context, origins);

  function take(socket: Duplex, origin: Origin): void {
    origins.set(socket, origin);
    http.emit('connection', socket);
    // Who listens makes Node feed its parser through the stream. Fed by the TLS layer itself the parser gets the next record of a client that
    // sends ahead (apt does) while it is paused for answers that pile up, and takes that for a broken request.
    socket.on('data', () => undefined);
  }

  function listen(on: { fd: number } | { host: string; port: number }, port: number): Server {
    const tls = createTls(context, leaves, (socket) =>
      take(socket, {
        scheme: 'https',
        port,
        serverName: typeof socket.servername === 'string' ? socket.servername : '',
      }),
    );
    const listener = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      ledger.connected();
      connections.add(socket);
      socket.once('close', () => connections.delete(socket));
      whenFirstByte(socket, (first) => {
        if (first === TLS_HANDSHAKE) tls.emit('connection', socket);
        else {
          take(socket, { scheme: 'http', port, serverName: null });
          // The parser reads later bytes by itself; what was put back flows only now.
          socket.resume();
        }
      });
    });
    listener.maxConnections = config.quotas.connectionsMax;
    listener.on('drop', () =>
      ledger.refuse(
        '',
        'quota-exceeded',
        `a build may have ${config.quotas.connectionsMax} connections at the same time`,
      ),
    );
    listener.listen(on);
    listeners.push(listener);
    return listener;
  }

  return {
    listen,
    close() {
      for (const listener of listeners) listener.close();
      for (const record of [...context.underWay]) record();
      for (const connection of connections) connection.destroy();
      context.upstream.close();
    },
  };
}

function whenFirstByte(socket: Socket, go: (first: number) => void): void {
  const giveUp = (): void => void socket.destroy();
  socket.on('error', giveUp);
  socket.setTimeout(firstByteTimeoutMs, giveUp);
  socket.once('end', giveUp);
  socket.once('data', (chunk) => {
    socket.setTimeout(0);
    socket.off('timeout', giveUp);
    socket.off('end', giveUp);
    socket.pause();
    socket.unshift(chunk);
    go(chunk[0] ?? 0);
  });
}

function createTls(context: ExchangeContext, leaves: LeafIssuer, secured: (socket: TLSSocket) => void): TlsServer {
  const { ledger } = context;
  const asked = new WeakMap<TLSSocket, string>();
  const tls = createTlsServer({
    ALPNProtocols: ['http/1.1'],
    minVersion: 'TLSv1.2',
    handshakeTimeout: handshakeTimeoutMs,
    SNICallback(this: unknown, name, done) {
      // Node calls this on the connection; only the words of a note depend on it.
      if (this instanceof TLSSocket) asked.set(this, name);
      const host = toHostName(name);
      if (host === null) return done(new Error('not a host name'));
      done(null, leaves.contextFor(host));
    },
  });
  tls.on('secureConnection', secured);
  tls.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
    socket.destroy();
    const host = asked.get(socket) ?? 'an unnamed host';
    const code = error.code ?? 'unknown';
    if (/ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_UNKNOWN)/.test(code))
      return ledger.write({
        kind: 'note',
        code: 'client-distrusts',
        sentence: `a client that asked for ${host} does not trust the build's certificate: it has roots of its own, or its CA setting was taken away`,
      });
    ledger.write({ kind: 'note', code: 'client-protocol', sentence: `a TLS connection for ${host} failed (${code})` });
  });
  return tls;
}

function refuseRaw(socket: Duplex, httpCode: string, sentence: string): void {
  if (!socket.writable) return void socket.destroy();
  const body = `Envicutor's build network: ${sentence}.\n`;
  socket.end(
    `HTTP/1.1 ${httpCode}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

function createHttp(context: ExchangeContext, origins: WeakMap<Duplex, Origin>): HttpServer {
  const { ledger, config } = context;
  const urlOf = (socket: Duplex): string => {
    const origin = origins.get(socket);
    return origin === undefined ? '' : `${origin.scheme}://${origin.serverName ?? ''}/`;
  };
  const http = createHttpServer(
    {
      maxHeaderSize: config.quotas.headerBytesMax,
      // A client may use a connection again after a long pause; this is the build's own time.
      keepAliveTimeout: config.quotas.idleTimeoutMs,
      requireHostHeader: false,
    },
    (request, response) => {
      const origin = origins.get(request.socket);
      if (origin === undefined) return void request.socket.destroy();
      carryOut(context, origin, request, response);
    },
  );
  // A client may end its side once it has asked; Node would abandon its answer otherwise.
  Object.assign(http, { httpAllowHalfOpen: true });
  http.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // Anything else is a connection that ended, not something that was asked for.
    if (error.code?.startsWith('HPE_') !== true) return void socket.destroy();
    const isLong = error.code === 'HPE_HEADER_OVERFLOW';
    const sentence = isLong
      ? `the header is longer than ${config.quotas.headerBytesMax} bytes`
      : `this is no proper HTTP request (${error.code})`;
    ledger.refuse(urlOf(socket), 'request-invalid', sentence);
    refuseRaw(socket, isLong ? '431 Request Header Fields Too Large' : '400 Bad Request', sentence);
  });
  http.on('connect', (_request, socket) => {
    const sentence = 'CONNECT is not served: names lead here by themselves, no proxy setting is needed';
    ledger.refuse(urlOf(socket), 'method-denied', sentence);
    refuseRaw(socket, '403 Forbidden', sentence);
  });
  return http;
}
