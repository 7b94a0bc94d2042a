/**
 * Owns the build network's DNS stub: every name is at the proxy's address, nothing else exists.
 * Never asks anybody: the proxy resolves the real name itself when a request comes, so a name alone tells nobody anything.
 * Invariant: what is not one plain query is dropped without an answer.
 */
import { createSocket, type Socket } from 'node:dgram';

const HEADER_BYTES = 12;
const TYPE_A = 1;
const CLASS_IN = 1;
const TTL_SECONDS = 60;

/** End of the question that starts after the header, or -1 when it is malformed. */
function questionEnd(query: Buffer): number {
  let at = HEADER_BYTES;
  for (;;) {
    const length = query[at];
    // Above 63 would be a pointer or an extended label; neither has a place in a question.
    if (length === undefined || length > 63) return -1;
    at += length + 1;
    if (at - HEADER_BYTES > 255) return -1;
    if (length === 0) return at + 4 <= query.length ? at + 4 : -1;
  }
}

/** The answer to a query, or null when it must be dropped; `address` is the IPv4 address of every name. */
export function answerQuery(query: Buffer, address: string): Buffer | null {
  if (query.length < HEADER_BYTES) return null;
  const flags = query.readUInt16BE(2);
  const isStandardQuery = (flags & 0xf800) === 0;
  // Additional records (EDNS) are tolerated and left unanswered, as RFC 6891 §7 lets a plain server do.
  if (!isStandardQuery || query.readUInt16BE(4) !== 1 || query.readUInt16BE(6) !== 0 || query.readUInt16BE(8) !== 0)
    return null;
  const end = questionEnd(query);
  if (end < 0) return null;
  const isAddressWanted = query.readUInt16BE(end - 4) === TYPE_A && query.readUInt16BE(end - 2) === CLASS_IN;
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(query.readUInt16BE(0), 0);
  header.writeUInt16BE(0x8080 | (flags & 0x0100), 2); // response, recursion available, NOERROR
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(isAddressWanted ? 1 : 0, 6);
  const question = query.subarray(HEADER_BYTES, end);
  if (!isAddressWanted) return Buffer.concat([header, question]);
  const answer = Buffer.from([0xc0, HEADER_BYTES, 0, TYPE_A, 0, CLASS_IN, 0, 0, 0, TTL_SECONDS, 0, 4]);
  return Buffer.concat([header, question, answer, Buffer.from(address.split('.').map(Number))]);
}

/** Serves the stub on an inherited UDP socket; `close` the result to stop. */
export function serveNames(descriptor: number, address: string): Socket {
  const socket = createSocket('udp4');
  socket.on('message', (query, peer) => {
    const answer = answerQuery(query, address);
    // A lost answer is asked for again; an error here must not end the proxy.
    if (answer !== null) socket.send(answer, peer.port, peer.address, () => {});
  });
  socket.on('error', () => {});
  socket.bind({ fd: descriptor, exclusive: true });
  return socket;
}
