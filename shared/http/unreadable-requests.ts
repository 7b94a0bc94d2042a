/**
 * Owns answering what can't be read as a request at all: no HTTP, headers without end, a request that does not arrive in its time. Never knows a route.
 * Invariant: the connection is closed, in bounded time, whatever its other end does.
 */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { SystemError } from '../errors.ts';
import { PROBLEM_TYPE, toProblem } from './problem.ts';

const CLOSING_MS_MAX = 2000;

interface ParserError extends Error {
  readonly code?: string;
  readonly reason?: string;
}

/** Our error for what Node's parser says. */
function toError({ code, reason, message }: ParserError): SystemError {
  if (code === 'HPE_HEADER_OVERFLOW')
    return new SystemError('headers-too-large', 'the request line and headers are larger than 16 KiB together');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new SystemError('request-timeout', 'the request did not arrive in its time; the connection is closed');
  return new SystemError('request-invalid', `this is not a request of HTTP/1.1: ${(reason ?? message).slice(0, 200)}`);
}

/** Answers on the connection, and closes it. */
export function refuseUnreadable(error: ParserError, socket: Socket, requestId: string, who: string): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const refusal = toError(error);
  const text = JSON.stringify(toProblem(refusal, requestId, who));
  const head = [
    `HTTP/1.1 ${refusal.http} ${STATUS_CODES[refusal.http]}`,
    `content-type: ${PROBLEM_TYPE}`,
    `content-length: ${Buffer.byteLength(text)}`,
    `x-request-id: ${requestId}`,
    'connection: close',
  ];
  // A reset would take the answer away before it is read: what still comes is read and thrown away, for a moment.
  socket.on('error', () => socket.destroy());
  socket.setTimeout(CLOSING_MS_MAX, () => socket.destroy());
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`);
  socket.resume();
}
