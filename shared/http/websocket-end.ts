/**
 * Owns how a server of WebSockets ends: who was asked to close has a moment to answer, and is then cut off. Never asks anybody: its owner has.
 */
import type { Clock } from '../clock.ts';

/** A peer that does not answer the closing handshake is not waited for longer. */
const CLOSE_MS_MAX = 1000;

/** What is asked of a server; that of ws is one. */
export interface EndableWebSockets {
  readonly clients: Iterable<{ terminate(): void }>;
  close(done: () => void): void;
}

/** Resolves when every connection of the server is gone. */
export async function endWebSockets(server: EndableWebSockets, clock: Pick<Clock, 'after'>): Promise<void> {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  const patience = clock.after(CLOSE_MS_MAX, () => {
    for (const socket of server.clients) socket.terminate();
  });
  await closed;
  patience.cancel();
}
