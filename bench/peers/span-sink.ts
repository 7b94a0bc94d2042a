/**
 * Owns a collector of spans that costs as little as one can: it takes whatever is posted, counts the requests, and keeps nothing.
 * Run by itself it is that server: it prints its port.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ServedProcess } from './served-process.ts';

async function serve(): Promise<void> {
  let posts = 0;
  const server = createServer((request, response) => {
    if (request.method === 'POST') posts += 1;
    request.resume().on('end', () => response.end(JSON.stringify({ posts })));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
}

/** The collector as a scenario has it. */
export function startSpanSink(): Promise<ServedProcess> {
  return ServedProcess.start(import.meta.filename, 'http');
}

/** How many requests have brought it spans. */
export async function postsTo(sink: ServedProcess): Promise<number> {
  return ((await (await fetch(sink.url)).json()) as { posts: number }).posts;
}

if (import.meta.main) await serve();
