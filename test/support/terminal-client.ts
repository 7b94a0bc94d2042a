/**
 * A client of terminals for tests: posts interactive executions, attaches, types, and waits for what the screen shows. Speaks what docs/terminal.md says.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import {
  TERMINAL_PROTOCOL,
  type TerminalAnswer,
  type TerminalExit,
  type TerminalRequest,
  TICKET_PROTOCOL_PREFIX,
} from '../../shared/model/terminal.ts';
import { checkedFetch } from './checked-fetch.ts';

type Told<Type> = Extract<TerminalAnswer, { type: Type }>;

/** How to attach. */
export interface AttachOptions {
  readonly key?: string;
  readonly ticket?: string;
  readonly origin?: string;
  readonly position?: number;
  readonly protocols?: readonly string[];
}

/** Posts an interactive execution; its id. */
export async function postInteractive(url: string, request: object, key?: string): Promise<string> {
  const answer = await checkedFetch(`${url}/v1/executions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(key !== undefined && { authorization: `Bearer ${key}` }) },
    body: JSON.stringify({ environment: { base: 'debian-13' }, interactive: true, ...request }),
  });
  const body = (await answer.json()) as { id: string };
  assert.equal(answer.status, 202, JSON.stringify(body));
  return body.id;
}

/** A client at a terminal. */
export class TerminalScreen {
  readonly socket: WebSocket;
  readonly told: TerminalAnswer[] = [];
  /** Close code and reason, once it is closed. */
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #chunks: Buffer[] = [];
  bytes = 0;

  constructor(url: string, id: string, options: AttachOptions = {}) {
    const { key, ticket, origin, position, protocols = [TERMINAL_PROTOCOL] } = options;
    const query = position === undefined ? '' : `?position=${position}`;
    const offered = ticket === undefined ? protocols : [...protocols, `${TICKET_PROTOCOL_PREFIX}${ticket}`];
    this.socket = new WebSocket(`${url.replace('http', 'ws')}/v1/executions/${id}/terminal${query}`, [...offered], {
      headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
      ...(origin !== undefined && { origin }),
    });
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => resolve({ code, reason: String(reason) }));
    });
    this.socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) {
        this.#chunks.push(data);
        this.bytes += data.length;
      } else this.told.push(JSON.parse(String(data)) as TerminalAnswer);
      this.socket.emit('news');
    });
    this.socket.on('close', () => this.socket.emit('news'));
    this.socket.on('error', () => undefined);
  }

  /** Attaches; resolves when it is told where it is. */
  static async attach(url: string, id: string, options: AttachOptions = {}): Promise<TerminalScreen> {
    const screen = new TerminalScreen(url, id, options);
    await screen.until('attached');
    return screen;
  }

  /** Is refused; status and code of the problem. */
  static async refused(url: string, id: string, options: AttachOptions = {}): Promise<[number | undefined, string]> {
    const { socket } = new TerminalScreen(url, id, options);
    const [, answer] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    const parts: Buffer[] = [];
    for await (const part of answer) parts.push(part as Buffer);
    return [answer.statusCode, (JSON.parse(Buffer.concat(parts).toString()) as { code: string }).code];
  }

  get screen(): string {
    return Buffer.concat(this.#chunks).toString('latin1');
  }

  /** Position behind what has come. */
  get position(): number {
    const attached = this.told.find((answer) => answer.type === 'attached');
    return (attached?.position ?? 0) + this.bytes;
  }

  type(keys: string | Buffer): void {
    this.socket.send(typeof keys === 'string' ? Buffer.from(keys, 'latin1') : keys);
  }

  ask(request: TerminalRequest): void {
    this.socket.send(JSON.stringify(request));
  }

  /** Waits until the screen shows this, from `after` on; the index behind it. */
  async shows(text: string, after = 0): Promise<number> {
    await this.#while(() => !this.screen.includes(text, after), text);
    return this.screen.indexOf(text, after) + text.length;
  }

  async has(bytes: number): Promise<void> {
    await this.#while(() => this.bytes < bytes, `${bytes} bytes`);
  }

  async #while(isMissing: () => boolean, what: string): Promise<void> {
    while (isMissing()) {
      if (this.socket.readyState === WebSocket.CLOSED)
        assert.fail(`${what} never came: ${JSON.stringify(this.told.at(-1))} ${this.screen.slice(-500)}`);
      await once(this.socket, 'news');
    }
  }

  /** What was told of this type, once it was. */
  async until<Type extends TerminalAnswer['type']>(type: Type): Promise<Told<Type>> {
    await this.#while(() => !this.told.some((answer) => answer.type === type), type);
    return this.told.find((answer) => answer.type === type) as Told<Type>;
  }

  /** What is told at the end. */
  async exit(): Promise<TerminalExit> {
    const { type: _, ...exit } = await this.until('exit');
    assert.deepEqual(await this.closed, { code: 1000, reason: 'exited' });
    return exit;
  }
}
