/**
 * Owns the floor of what connected agents cost: a server of the same ws and Node that lets everybody in and drops what they say, unread.
 * Run by itself it is that server: it prints its port.
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { encodeMessage } from '../../shared/protocol/catalog.ts';
import type { CoordinatorMessage } from '../../shared/protocol/coordinator-messages.ts';
import { MESSAGE_BYTES_MAX, PROTOCOL_VERSION } from '../../shared/protocol/version.ts';
import { ServedProcess } from './served-process.ts';

/** Agents report this often unless somebody sets it. */
const REPORT_INTERVAL_MS = 3000;

const challenge: CoordinatorMessage = { type: 'session.challenge', nonce: 'none' };
const welcome: CoordinatorMessage = {
  ...{ type: 'session.welcome', agentId: 'agent_any', protocol: PROTOCOL_VERSION },
  ...{ reportIntervalMs: REPORT_INTERVAL_MS, leaseTtlMs: 15_000 },
  trust: { payloadType: 'none', payload: '', signatures: [{ keyid: 'none', sig: '' }] },
};

async function serve(): Promise<void> {
  const server = new WebSocketServer({
    ...{ host: '127.0.0.1', port: 0, maxPayload: MESSAGE_BYTES_MAX, perMessageDeflate: false },
  });
  server.on('connection', (socket) => {
    const answers = [challenge, welcome];
    socket.on('message', () => {
      const answer = answers.shift();
      if (answer !== undefined) socket.send(encodeMessage(answer));
    });
  });
  await once(server, 'listening');
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
}

/** The server as a scenario has it. */
export function startBareServer(): Promise<ServedProcess> {
  return ServedProcess.start(import.meta.filename, 'ws');
}

if (import.meta.main) await serve();
