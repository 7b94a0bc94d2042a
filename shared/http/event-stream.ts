/**
 * Owns server-sent events: a log's events as text, resumed by Last-Event-ID, with pings against silent proxies. Never holds
 * anything for a reader but its place: it is written to as fast as it reads, and cut off when what it has not read is forgotten; then it may resume.
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
  #ping: Timer | null = null;
  #isOver = false;

  constructor(raw: ServerResponse, log: EventLog, after: number, clock: Clock) {
    this.#raw = raw;
    this.#log = log;
    this.#clock = clock;
    this.#at = after;
    const forgotten = log.forgottenAfter(after);
    if (forgotten > 0) raw.write(toForgotten(forgotten));
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
    this.#raw.cork();
    while (!this.#isOver && !this.#raw.writableNeedDrain) {
      const event = this.#log.after(this.#at);
      if (event === undefined) break;
      this.#at = event.number;
      this.#raw.write(toText(event));
    }
    this.#raw.uncork();
    if (this.#at !== LAST_NUMBER || this.#isOver) return;
    this.end();
    this.#raw.end();
  }

  #keepAlive(): void {
    this.#ping = this.#clock.after(PING_MS, () => {
      if (!this.#raw.writableNeedDrain) this.#raw.write(': ping\n\n');
      this.#keepAlive();
    });
  }

  end(): void {
    this.#isOver = true;
    this.#ping?.cancel();
    for (const stop of this.#stops) stop();
  }
}
