/**
 * Owns how the scripted ends of the agents' protocol hear messages that may come in pieces. Never reads one.
 */
import assert from 'node:assert/strict';
import type { WebSocket } from 'ws';
import { MessageJoiner } from '../../shared/protocol/message-pieces.ts';

/** Calls `heard` for each whole message, and `pieced` for each piece of one. */
export function hearMessages(socket: WebSocket, heard: (text: string) => void, pieced: () => void): void {
  const joiner = new MessageJoiner();
  socket.on('message', (data, isBinary) => {
    if (isBinary) pieced();
    const joined = isBinary ? joiner.add(String(data)) : joiner.complete(String(data));
    assert.ok(joined !== 'too long');
    if (joined !== 'unfinished') heard(joined.text);
  });
}
