/**
 * Owns the floor of what open event streams cost: a server of Node alone that begins a stream of events for whoever asks and never says anything.
 * Run by itself it is that server: it prints its port. Invariant: stop() ends the process that start() began.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

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
export class BareStreams {
  readonly url: string;
  readonly pid: number;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, port: number) {
    this.#process = process;
    this.pid = process.pid ?? 0;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(): Promise<BareStreams> {
    const child = spawn(process.execPath, [import.meta.filename], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [port] = await once(child.stdout, 'data');
    return new BareStreams(child, Number(String(port)));
  }

  async stop(): Promise<void> {
    this.#process.kill('SIGTERM');
    await once(this.#process, 'exit');
  }
}

if (import.meta.main) await serve();
