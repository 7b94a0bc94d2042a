/**
 * Owns the proof of the client's terminal: over connections that are closed by whomever, output comes once and in order, typing arrives, and nobody's
 * slowness fills this side's memory.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EnvicutorClient, isEnvicutorError, type Terminal } from '../../client/typescript/client.ts';
import { finalCodes, PROTOCOL, TICKET_PREFIX } from '../../client/typescript/terminal-socket.ts';
import { TERMINAL_PROTOCOL, TICKET_PROTOCOL_PREFIX, terminalCloseCodes } from '../../shared/model/terminal.ts';
import { ScriptedTerminal } from '../support/scripted-terminal.ts';

const retries = { delayMsMin: 1, delayMsMax: 10, budgetMs: 5000 };
const attach = (server: ScriptedTerminal, options = {}) =>
  new EnvicutorClient({ url: server.url, retries }).execution('exec_t').terminal(options);

async function readAll(terminal: Terminal): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of terminal) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

test('the client, which may not read what needs a package, says the same words as the protocol', () => {
  const { messageInvalid, takenOver, tooFast } = terminalCloseCodes;
  assert.deepEqual([PROTOCOL, TICKET_PREFIX], [TERMINAL_PROTOCOL, TICKET_PROTOCOL_PREFIX]);
  assert.deepEqual(Object.keys(finalCodes).map(Number), [1009, messageInvalid, takenOver, tooFast]);
});

test('typing is echoed, requests arrive, and the end is told as the server tells it', async (t) => {
  const server = await ScriptedTerminal.open(t);
  const told: string[] = [];
  const terminal = await attach(server, { onTold: ({ type }: { type: string }) => told.push(type) });
  terminal.resize(50, 132);
  terminal.write('héllo');
  terminal.write(new Uint8Array([3]));
  terminal.signal('INT');
  terminal.end();
  assert.equal(await readAll(terminal), 'héllo\u0003');
  assert.deepEqual(server.requests, [
    { type: 'resize', rows: 50, columns: 132 },
    { type: 'signal', signal: 'INT' },
    { type: 'end' },
  ]);
  const exit = await terminal.exit;
  assert.deepEqual([exit.verdict, exit.exitCode], ['ok', 0]);
  assert.deepEqual([told, server.refused], [['attached', 'exit'], []]);
});

test('what breaks is attached to again where it was: nothing is missing, nothing comes twice, each time with a ticket of its own', async (t) => {
  const server = await ScriptedTerminal.open(t);
  const closings = [4503, 1001, 4408, 1011];
  server.whenAttached = (socket, count) => {
    server.write(`part ${count};`);
    // After what was written has gone: a pong tells that it was read.
    socket.ping();
    socket.once('pong', () => {
      const code = closings[count - 1];
      if (count === 2) socket.terminate();
      else if (code !== undefined) socket.close(code);
      else server.exit(7);
    });
  };
  const terminal = await attach(server);
  assert.equal(await readAll(terminal), 'part 1;part 2;part 3;part 4;part 5;');
  assert.equal((await terminal.exit).exitCode, 7);
  assert.deepEqual([server.positions, server.refused], [[0, 7, 14, 21, 28], []]);
});

test('what ended while nobody was attached is told by its answer, with the output that was not seen', async (t) => {
  const server = await ScriptedTerminal.open(t);
  server.whenAttached = (socket) => {
    server.write('seen;');
    socket.ping();
    socket.once('pong', () => {
      const run = { stdout: 'seen;and not seen', stdoutEncoding: 'utf8', exitCode: 2, signal: null };
      const how = { stage: 'finished', verdict: 'nonzero-exit', endedIn: 'run', failure: null };
      server.ended = { id: 'exec_t', ...how, run, finishedAt: '2026-01-01T00:00:00.000Z' };
      socket.terminate();
    });
  };
  const terminal = await attach(server);
  assert.equal(await readAll(terminal), 'seen;and not seen');
  const { verdict, exitCode } = await terminal.exit;
  assert.deepEqual([verdict, exitCode], ['nonzero-exit', 2]);
});

test('whom another client has taken over is told so, and does not take it back', async (t) => {
  const server = await ScriptedTerminal.open(t);
  server.whenAttached = (socket) => socket.close(4409);
  const terminal = await attach(server);
  await assert.rejects(readAll(terminal), (error) => isEnvicutorError(error, 'terminal-refused'));
  await assert.rejects(terminal.exit, (error) => isEnvicutorError(error, 'terminal-refused'));
  assert.equal(server.positions.length, 1);
});

test('output that nobody reads is bounded: the connection is given up, and opened again when all was read', async (t) => {
  const server = await ScriptedTerminal.open(t);
  const piece = Buffer.alloc(300_000, 'x');
  const isGivenUp = new Promise<void>((resolve) => {
    server.whenAttached = (socket, count) => {
      if (count === 1) {
        for (let written = 0; written < 20; written += 1) server.write(piece);
        socket.once('close', () => resolve());
      } else if (server.positions.at(-1) === server.output.length) server.exit(0);
    };
  });
  const terminal = await attach(server);
  await isGivenUp;
  assert.equal(terminal.position, 1_200_000, 'of six million bytes so many are held');
  let bytes = 0;
  for await (const { length } of terminal) bytes += length;
  assert.equal(bytes, 6_000_000);
  assert.ok(server.positions.length >= 2, String(server.positions));
});

test('who leaves the loop, closes or aborts is gone at once, and the program is not', async (t) => {
  const server = await ScriptedTerminal.open(t);
  server.whenAttached = () => server.write('x');
  const left = await attach(server);
  for await (const _ of left) break;
  await assert.rejects(left.exit, (error) => isEnvicutorError(error, 'terminal-closed'));
  const closed = await attach(server);
  closed.close();
  assert.equal(await readAll(closed), 'x'.repeat(2));
  const controller = new AbortController();
  const gone = new Error('gone');
  const aborted = await attach(server, { signal: controller.signal });
  controller.abort(gone);
  await assert.rejects(aborted.exit, gone);
  await assert.rejects(attach(server, { signal: AbortSignal.abort(gone) }), gone);
  assert.equal(server.requests.length, 0);
});

test('what is typed without a connection is kept for the next one, up to a bound', async (t) => {
  const server = await ScriptedTerminal.open(t);
  // A refusal that passes: between both connections there is time to type.
  server.whenAttached = (socket, count) => {
    if (count === 1) socket.close(4503);
    else terminal.end();
  };
  const closed: Promise<void>[] = [];
  class Watched extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols);
      closed.push(new Promise((resolve) => this.addEventListener('close', () => setImmediate(resolve))));
    }
  }
  const slow = { ...retries, delayMsMin: 200, delayMsMax: 200 };
  const client = new EnvicutorClient({ url: server.url, retries: slow, WebSocket: Watched as never });
  const terminal = await client.execution('exec_t').terminal();
  await closed[0];
  terminal.write('kept');
  const tooMuch = () => terminal.write('y'.repeat(65_536));
  assert.throws(tooMuch, (error) => isEnvicutorError(error, 'terminal-input-full'));
  assert.equal(await readAll(terminal), 'kept');
  assert.equal(Buffer.concat(server.typed).toString(), 'kept');
});

test('without a WebSocket there is no terminal, and it is said', async () => {
  const { WebSocket: own } = globalThis;
  Reflect.deleteProperty(globalThis, 'WebSocket');
  const client = new EnvicutorClient({ url: 'http://127.0.0.1:9', retries });
  Object.assign(globalThis, { WebSocket: own });
  await assert.rejects(client.execution('exec_t').terminal(), (error) => isEnvicutorError(error, 'terminal-unfit'));
});
