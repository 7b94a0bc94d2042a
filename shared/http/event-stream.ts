/**
 * Owns server-sent events: a log's events as text, resumed by Last-Event-ID, with pings against silent proxies. Never holds
 * anything for a reader but its place: it is written to as fast as it reads, and cut off when what it has not read is forgotten, or when it has taken
 * nothing between two pings; then it may resume.
 * Invariant: who resumes is told how many events it has missed for ever, if any.
 */
import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';
import type { Clock, Timer } from '../clock.ts';
import { type EventLog, LAST_NUMBER, type LoggedEvent } from './event-log.ts';

const PING_MS = 15_000;

function toText({ number, name, data }: LoggedEvent): string {
  return `id: ${number}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Has no number of its own: whoever resumes is told again. */
function toForgotten(events: number): string {
  return `event: forgotten\ndata: ${JSON.stringify({ events })}\n\n`;
}

/** Answers with the events after `lastEventId` until the log closes; with 204 when there will never be one, so that readers stop. */
export function streamEvents(
  reply: FastifyReply,
  log: EventLog,
  lastEventId: string | undefined,
  clock: Clock,
): FastifyReply {
  const after = Math.max(0, Number.parseInt(lastEventId ?? '0', 10) || 0);
  if (after >= LAST_NUMBER || (log.isClosed && after >= log.last)) return reply.code(204).send();
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    'x-request-id': reply.request.id,
  });
  raw.flushHeaders();
  // Whoever asks for the head alone has it.
  if (reply.request.method === 'HEAD') {
    raw.end();
    return reply;
  }
  const reader = new Reader(raw, log, after, clock);
  raw.on('close', () => reader.end());
  raw.on('drain', () => reader.pump());
  reader.pump();
  return reply;
}

/** One reader's place in a log. */
class Reader {
  readonly #raw: ServerResponse;
  readonly #log: EventLog;
  readonly #clock: Clock;
  readonly #stops: (() => void)[];
  #at: number;
  #writtenBytes = 0;
  /** At the last ping. */
  #takenBytes = 0;
  #ping: Timer | null = null;
  #isOver = false;

  constructor(raw: ServerResponse, log: EventLog, after: number, clock: Clock) {
    this.#raw = raw;
    this.#log = log;
    this.#clock = clock;
    this.#at = after;
    const forgotten = log.forgottenAfter(after);
    if (forgotten > 0) this.#write(toForgotten(forgotten));
    // Its reader asks again, and is told by whoever knows more.
    this.#stops = [log.follow(log.last, () => this.#grew()), log.onCut(() => raw.end())];
    this.#keepAlive();
  }

  #grew(): void {
    if (!this.#raw.writableNeedDrain) this.pump();
    // What it has not read is not remembered for it any more: it may come back, and is told how much it has missed.
    else if (this.#log.forgottenAfter(this.#at) > 0) this.#raw.destroy();
  }

  /** Writes what is new, as far as the connection takes it. */
  pump(): void {
    // Not corked: what is written then is full only by itself, and what the socket still has is not counted.
    while (!this.#isOver && !this.#raw.writableNeedDrain) {
      const event = this.#log.after(this.#at);
      if (event === undefined) break;
      this.#at = event.number;
      this.#write(toText(event));
    }
    if (this.#at !== LAST_NUMBER || this.#isOver) return;
    this.end();
    this.#raw.end();
  }

  #write(text: string): void {
    this.#raw.write(text);
    this.#writtenBytes += Buffer.byteLength(text);
  }

  #keepAlive(): void {
    this.#ping = this.#clock.after(PING_MS, () => {
      const { writableLength, writableNeedDrain } = this.#raw;
      const taken = this.#writtenBytes - writableLength;
      // Nothing of what waits has been taken since the last one: nobody reads any more.
      if (writableLength > 0 && taken <= this.#takenBytes) {
        this.#raw.destroy();
        return;
      }
      this.#takenBytes = taken;
      if (!writableNeedDrain) this.#write(': ping\n\n');
      this.#keepAlive();
    });
  }

  end(): void {
    this.#isOver = true;
    this.#ping?.cancel();
    for (const stop of this.#stops) stop();
  }
}
