/**
 * A client of Piston's protocol for tests, over HTTP and over its WebSocket: says what it is told to, keeps what it hears. Never understands any of it.
 */
import { once } from 'node:events';
import { WebSocket } from 'ws';

/** Asks as a client of Piston's does; what is no JSON is text. Their answers are not those of the API's description. */
export async function askPiston(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = { 'content-type': 'application/json' },
  signal: AbortSignal | null = null,
) {
  const isAsItIs = typeof body === 'string' || body instanceof Uint8Array;
  const content = body === undefined ? {} : { body: isAsItIs ? (body as string) : JSON.stringify(body) };
  const answer = await fetch(`${url}/api/v2${path}`, { method, headers, signal, ...content });
  const text = await answer.text();
  const isJson = answer.headers.get('content-type')?.startsWith('application/json') === true && text !== '';
  return { status: answer.status, headers: answer.headers, text, said: isJson ? JSON.parse(text) : text };
}

/** A message as it came. */
export type PistonMessage = Readonly<Record<string, unknown>>;

/** See the head of this file. */
export class PistonConnection {
  readonly messages: PistonMessage[] = [];
  /** Code and reason. */
  readonly closed: Promise<[code: number, reason: string]>;
  readonly #socket: WebSocket;
  readonly #waiting = new Set<() => void>();

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => {
      this.messages.push(JSON.parse(String(data)));
      for (const look of this.#waiting) look();
    });
    const { promise, resolve } = Promise.withResolvers<[number, string]>();
    socket.on('error', () => undefined);
    socket.on('close', (code, reason) => resolve([code, String(reason)]));
    this.closed = promise;
  }

  static async open(
    test: { after(ending: () => unknown): void },
    url: string,
    {
      path = '/api/v2/connect',
      headers = {},
    }: { readonly path?: string; readonly headers?: Record<string, string> } = {},
  ): Promise<PistonConnection> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}${path}`, { headers });
    test.after(() => socket.terminate());
    const connection = new PistonConnection(socket);
    await once(socket, 'open');
    return connection;
  }

  say(message: PistonMessage | string): void {
    this.#socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** Resolves when what came of this type has this in it, all of its pieces together. */
  heard(type: string, text: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = () => {
      const pieces = this.messages.filter((message) => message['type'] === type);
      if (
        !pieces
          .map(({ data }) => data ?? '')
          .join('')
          .includes(text)
      )
        return;
      this.#waiting.delete(look);
      resolve();
    };
    this.#waiting.add(look);
    look();
    return promise;
  }

  leave(): void {
    this.#socket.terminate();
  }
}
