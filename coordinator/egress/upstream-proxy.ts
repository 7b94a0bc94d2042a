/**
 * Owns going out through the operator's own proxy: CONNECT, then TLS end to end with the upstream inside the tunnel.
 * Never resolves the upstream's name: behind such a proxy only it can, so which addresses are internal is its decision too.
 * Invariant: no tunnel is used unless the proxy said 200; connecting, CONNECT and TLS together take at most `connectTimeoutMs`.
 */
import type { Agent as HttpAgent } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls, type SecureContext } from 'node:tls';
import type { Clock } from '../../shared/clock.ts';

const ANSWER_BYTES_MAX = 16 * 1024;

/** How to get through. */
export interface TunnelSettings {
  /** http://[user:password@]host:port */
  readonly proxyUrl: string;
  readonly connectTimeoutMs: number;
  readonly clock: Clock;
}

function readAnswer(socket: Socket, opened: (error: Error | null) => void): void {
  let answer = Buffer.alloc(0);
  const read = (chunk: Buffer): void => {
    answer = Buffer.concat([answer, chunk]);
    const end = answer.indexOf('\r\n\r\n');
    if (end < 0 && answer.length < ANSWER_BYTES_MAX) return;
    socket.off('data', read);
    socket.pause();
    const code = /^HTTP\/1\.[01] (\d{3})/.exec(answer.toString('latin1', 0, 64))?.[1];
    if (end < 0 || code !== '200') return void opened(new Error(`the operator's proxy answered ${code ?? 'nonsense'}`));
    if (answer.length > end + 4) socket.unshift(answer.subarray(end + 4));
    opened(null);
  };
  socket.on('data', read);
}

/** Opens a tunnel to host:port, with TLS in it when a context is given; `done` is called once. */
export function openTunnel(
  settings: TunnelSettings,
  { host, port, secureContext }: { host: string; port: number; secureContext: SecureContext | null },
  done: (error: Error | null, stream: Duplex | null) => void,
): void {
  const proxy = new URL(settings.proxyUrl);
  const credentials = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  const authorization =
    proxy.username === '' ? '' : `Proxy-Authorization: Basic ${Buffer.from(credentials).toString('base64')}\r\n`;
  const socket = connect({ host: proxy.hostname, port: Number(proxy.port || 80), noDelay: true });
  let isFinished = false;
  const finish = (error: Error | null, stream: Duplex | null): void => {
    if (isFinished) return;
    isFinished = true;
    timer.cancel();
    if (error !== null) socket.destroy();
    done(error, stream);
  };
  const fail = (error: Error): void => finish(error, null);
  const timer = settings.clock.after(settings.connectTimeoutMs, () => socket.destroy(new Error('no tunnel in time')));
  socket.on('error', fail);
  socket.once('close', () => fail(new Error("the operator's proxy hung up")));
  socket.once('connect', () => {
    readAnswer(socket, (refused) => {
      if (refused !== null) return fail(refused);
      if (secureContext === null) {
        finish(null, socket);
        // TLS would read by itself; a socket that was paused by hand only does so when told, here after its request has it.
        socket.resume();
        return;
      }
      const secure = connectTls({ socket, servername: host, secureContext, ALPNProtocols: ['http/1.1'] });
      secure.on('error', fail);
      secure.once('secureConnect', () => finish(null, secure));
    });
    socket.write(`CONNECT ${host}:${port} HTTP/1.1\r\nHost: ${host}:${port}\r\n${authorization}\r\n`);
  });
}

/** Makes `agent` open its connections through the tunnel. */
export function throughTunnel<Agent extends HttpAgent>(
  agent: Agent,
  settings: TunnelSettings,
  secureContext: SecureContext | null,
): Agent {
  agent.createConnection = (options, created) => {
    openTunnel(settings, { host: options.host ?? '', port: Number(options.port), secureContext }, (error, stream) => {
      // node:http takes the error alone; its type wants a stream all the same.
      created?.(error, stream as Duplex);
    });
    return null;
  };
  return agent;
}
