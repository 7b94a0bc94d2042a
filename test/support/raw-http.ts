/**
 * Owns requests that no HTTP client would send: bytes on a socket, and whatever comes back, answer by answer. Never mends a request, never repeats one.
 * Invariant: every exchange ends, by the server's close, by the answers that were waited for, or by its time.
 */
import { connect, type Socket } from 'node:net';

/** One answer. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** What came back. */
export interface RawExchange {
  readonly answers: readonly RawAnswer[];
  /** Did the server close the connection, within the time? */
  readonly isClosed: boolean;
}

/** How bytes go out, and until when answers are waited for. */
export interface RawOptions {
  /** Wait for so many; default: until the server closes. */
  readonly answers?: number;
  readonly timeMsMax?: number;
  /** Says that nothing more comes. */
  readonly isHalfClosed?: boolean;
  /** Sends more, until the connection is closed. */
  readonly feed?: (socket: Socket) => void;
}

const TIME_MS_MAX = 10_000;

/** Answers at the beginning of a text; one that is not whole yet is left out. */
function parseAnswers(text: string): RawAnswer[] {
  const found: RawAnswer[] = [];
  let rest = text;
  for (;;) {
    const end = rest.indexOf('\r\n\r\n');
    if (end === -1) return found;
    const [line = '', ...fields] = rest.slice(0, end).split('\r\n');
    const headers = new Headers();
    for (const field of fields)
      headers.append(field.slice(0, field.indexOf(':')), field.slice(field.indexOf(':') + 1).trim());
    const bytes = Number(headers.get('content-length') ?? 0);
    const body = rest.slice(end + 4, end + 4 + bytes);
    if (body.length < bytes) return found;
    found.push({ status: Number(line.split(' ')[1]), headers, body: Buffer.from(body, 'latin1').toString() });
    rest = rest.slice(end + 4 + bytes);
  }
}

/** Sends these bytes and reads what comes. */
export async function exchange(url: string, bytes: string | Buffer, options: RawOptions = {}): Promise<RawExchange> {
  const { answers: wanted = Number.POSITIVE_INFINITY, timeMsMax = TIME_MS_MAX, isHalfClosed = false, feed } = options;
  const { hostname, port } = new URL(url);
  const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
  const chunks: Buffer[] = [];
  const text = () => Buffer.concat(chunks).toString('latin1');
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), timeMsMax);
  socket.on('error', () => resolve(true));
  socket.on('close', () => resolve(true));
  socket.on('end', () => resolve(true));
  socket.on('data', (chunk) => {
    chunks.push(chunk);
    if (Number.isFinite(wanted) && parseAnswers(text()).length >= wanted) resolve(false);
  });
  socket.on('connect', () => {
    if (isHalfClosed) socket.end(bytes);
    else socket.write(bytes);
    feed?.(socket);
  });
  const isClosed = await promise;
  clearTimeout(timer);
  socket.destroy();
  return { answers: parseAnswers(text()), isClosed };
}

/** A request with a body of this content, whole and right but for what `headers` say. */
export function post(url: string, path: string, body: string | Buffer, headers: readonly string[] = []): Buffer {
  const content = Buffer.from(body);
  const lines = [`POST ${path} HTTP/1.1`, `host: ${new URL(url).host}`, `content-length: ${content.length}`];
  const types = headers.some((header) => /^content-type:/i.test(header)) ? [] : ['content-type: application/json'];
  return Buffer.concat([Buffer.from(`${[...lines, ...types, ...headers].join('\r\n')}\r\n\r\n`), content]);
}
