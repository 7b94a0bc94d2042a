/**
 * Owns serving over TLS: reading certificate and key, reading them again when they change, and answering whoever speaks plain HTTP to such a port.
 * Never makes a certificate. Invariants: TLS 1.2 at least; files that don't fit together change nothing, the former ones go on to hold; a
 * connection is closed after one plain answer, and after HELLO_MS_MAX without a byte.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import type { RequestListener, Server } from 'node:http';
import { createServer, type Server as TlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import type { Clock, Timer } from '../clock.ts';
import { SystemError } from '../errors.ts';
import type { Logger } from '../logger.ts';

/** Where certificate and key are. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

interface Identity {
  readonly cert: Buffer;
  readonly key: Buffer;
}

const HELLO_MS_MAX = 10_000;
/** First byte of a TLS record that shakes hands. */
const HANDSHAKE = 0x16;
const MIN_VERSION = 'TLSv1.2';

const plainAnswer = (sentence: string) =>
  `HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: ${sentence.length}\r\n\r\n${sentence}`;

/** Reads both; SystemError `configuration-invalid` with a remedy when they can't serve at this time. */
export function readTlsFiles({ certFile, keyFile }: TlsFiles, nowMs: number): Identity {
  const read = (path: string, field: string) => {
    try {
      return readFileSync(path);
    } catch (cause) {
      const said = cause instanceof Error ? cause.message : String(cause);
      throw new SystemError('configuration-invalid', `${field} ${path} can't be read: ${said}`, { cause });
    }
  };
  const identity = { cert: read(certFile, 'tlsCertFile'), key: read(keyFile, 'tlsKeyFile') };
  let validTo: string;
  try {
    createSecureContext({ ...identity, minVersion: MIN_VERSION });
    ({ validTo } = new X509Certificate(identity.cert));
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    const detail = `tlsCertFile ${certFile} and tlsKeyFile ${keyFile} can't be used together: ${said}; give a PEM certificate, its chain behind it, and its unencrypted PEM key`;
    throw new SystemError('configuration-invalid', detail, { cause });
  }
  if (Date.parse(validTo) <= nowMs)
    throw new SystemError('configuration-invalid', `tlsCertFile ${certFile} has expired on ${validTo}; renew it`);
  return identity;
}

function stampOf({ certFile, keyFile }: TlsFiles): string {
  const stamp = (path: string) => {
    const { mtimeMs, ino, size } = statSync(path);
    return `${mtimeMs} ${ino} ${size}`;
  };
  try {
    return `${stamp(certFile)} ${stamp(keyFile)}`;
  } catch {
    return 'gone';
  }
}

/** The certificate of a port, for as long as that is served. */
export class TlsIdentity {
  readonly #files: TlsFiles;
  readonly #deps: { readonly clock: Clock; readonly log: Logger };
  readonly #reloadMs: number;
  #identity: Identity;
  #stamp: string;
  readonly #servers = new Set<TlsServer>();
  #timer: Timer | null = null;

  /** Reads the files; SystemError `configuration-invalid`. */
  constructor(files: TlsFiles, deps: { clock: Clock; log: Logger }, options: { reloadMs: number }) {
    this.#files = files;
    this.#deps = deps;
    this.#reloadMs = options.reloadMs;
    this.#stamp = stampOf(files);
    this.#identity = readTlsFiles(files, deps.clock.nowMs());
  }

  /** A server of this certificate, in the place of a plain one. */
  serve(listener: RequestListener): Server {
    const server = createServer({ ...this.#identity, minVersion: MIN_VERSION }, listener);
    this.#servers.add(server);
    refusePlain(server);
    if (this.#timer === null) this.#watch();
    // All that anybody asks of a server, this one has too.
    return server as unknown as Server;
  }

  #watch(): void {
    this.#timer = this.#deps.clock.after(this.#reloadMs, () => {
      this.#look();
      this.#watch();
    });
  }

  #look(): void {
    const { clock, log } = this.#deps;
    const stamp = stampOf(this.#files);
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    try {
      this.#identity = readTlsFiles(this.#files, clock.nowMs());
      for (const server of this.#servers) server.setSecureContext({ ...this.#identity, minVersion: MIN_VERSION });
      log.info({ validTo: new X509Certificate(this.#identity.cert).validTo }, 'certificate read again');
    } catch (error) {
      log.error({ reason: error instanceof Error ? error.message : String(error) }, 'certificate not used');
    }
  }

  /** Looks at the files no more. Idempotent. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }
}

/** What begins as a handshake goes on as it would have; anything else gets one answer that it can read. */
function refusePlain(server: TlsServer): void {
  const shakeHands = server.listeners('connection') as ((socket: Socket) => void)[];
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    const fail = () => socket.destroy();
    socket.once('error', fail);
    socket.setTimeout(HELLO_MS_MAX, fail);
    socket.once('data', (first: Buffer) => {
      socket.pause();
      socket.setTimeout(0);
      socket.off('timeout', fail);
      socket.off('error', fail);
      if (first[0] === HANDSHAKE) {
        socket.unshift(first);
        for (const listener of shakeHands) listener.call(server, socket);
        return;
      }
      socket.on('error', fail);
      socket.end(plainAnswer('this port speaks TLS: use https:// or wss://\n'), fail);
    });
  });
}
