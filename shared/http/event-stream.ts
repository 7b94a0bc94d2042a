/**
 * Owns server-sent events: a log's events as text, resumed by Last-Event-ID, with pings against silent proxies. Never buffers without
 * bound: a reader that is too slow is cut off and may resume.
 */
import type { FastifyReply } from 'fastify';
import type { Clock, Timer } from '../clock.ts';
import type { EventLog, LoggedEvent } from './event-log.ts';

const PING_MS = 15_000;
const UNSENT_BYTES_MAX = 1024 * 1024;

function toText({ number, name, data }: LoggedEvent): string {
  return `id: ${number}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Answers with the events after `lastEventId` until the log closes; with 204 when there will never be one, so that readers stop. */
export function streamEvents(
  reply: FastifyReply,
  log: EventLog,
  lastEventId: string | undefined,
  clock: Clock,
): FastifyReply {
  const after = Math.max(0, Number.parseInt(lastEventId ?? '0', 10) || 0);
  if (log.isClosed && after >= log.last) return reply.code(204).send();
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    'x-request-id': reply.request.id,
  });
  let ping: Timer | null = null;
  let isOver = false;
  let writtenBytes = 0;
  let takenBytes = 0;
  const write = (text: string) => {
    if (isOver) return;
    raw.write(text);
    writtenBytes += Buffer.byteLength(text);
    if (raw.writableLength > UNSENT_BYTES_MAX) raw.destroy();
  };
  const keepAlive = () => {
    ping = clock.after(PING_MS, () => {
      // Nothing of what waits has been taken since the last one: nobody reads any more.
      const taken = writtenBytes - raw.writableLength;
      if (raw.writableLength > 0 && taken <= takenBytes) {
        raw.destroy();
        return;
      }
      takenBytes = taken;
      write(': ping\n\n');
      keepAlive();
    });
  };
  const end = () => {
    isOver = true;
    ping?.cancel();
  };
  raw.flushHeaders();
  // Whoever asks for the head alone has it.
  if (reply.request.method === 'HEAD') {
    raw.end();
    return reply;
  }
  const unfollow = log.follow(after, (event) => {
    write(toText(event));
    if (event.number === log.last && log.isClosing) raw.end();
  });
  // Its reader asks again, and is told by whoever knows more.
  const uncut = log.onCut(() => raw.end());
  raw.on('close', () => {
    end();
    unfollow();
    uncut();
  });
  if (log.isClosed) raw.end();
  else keepAlive();
  return reply;
}
