/**
 * Owns the floor of what open event streams cost: a server of Node alone that begins a stream of events for whoever asks and never says anything.
 * Run by itself it is that server: it prints its port.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ServedProcess } from './served-process.ts';

async function serve(): Promise<void> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.flushHeaders();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
}

/** The server as a scenario has it. */
export function startBareStreams(): Promise<ServedProcess> {
  return ServedProcess.start(import.meta.filename, 'http');
}

if (import.meta.main) await serve();
