/**
 * Owns what a terminal's connection makes of a client: how far it is by its pongs, when it is gone, what it may say. No sockets; time is a test's.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Terminal } from '../../coordinator/terminals/terminal.ts';
import { TerminalConnection, type TerminalSocket } from '../../coordinator/terminals/terminal-connection.ts';
import { TerminalTickets } from '../../coordinator/terminals/tickets.ts';
import { systemRandom } from '../../shared/clock.ts';
import { EventLog } from '../../shared/http/event-log.ts';
import type { TerminalAnswer } from '../../shared/model/terminal.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

class FakeSocket implements TerminalSocket {
  readonly told: TerminalAnswer[] = [];
  readonly pings: string[] = [];
  readonly flushes: (() => void)[] = [];
  bytes = 0;
  pongs = 0;
  isPaused = false;
  closed: readonly [number, string] | null = null;

  sendText(text: string): void {
    this.told.push(JSON.parse(text) as TerminalAnswer);
  }

  sendBytes(bytes: Buffer, taken: () => void): void {
    this.bytes += bytes.length;
    this.flushes.push(taken);
  }

  pong(): void {
    this.pongs += 1;
  }

  ping(payload: string): void {
    this.pings.push(payload);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  close(code: number, reason: string): void {
    this.closed ??= [code, reason];
  }
}

function stage() {
  const clock = new VirtualClock();
  const terminal = new Terminal(clock, 'exec_00000000', new EventLog(1 << 20));
  const ends: string[] = [];
  terminal.serve(
    { terminalWaitMsMax: 1000, terminalAwayMsMax: 1000 },
    { command: () => undefined, unattended: ({ message }) => ends.push(message) },
  );
  terminal.heard({ kind: 'started' });
  const attach = () => {
    const socket = new FakeSocket();
    const connection = new TerminalConnection(clock, socket, terminal);
    terminal.attach(connection, null);
    return { socket, connection };
  };
  let written = 0;
  const write = (count: number) => {
    terminal.heard({ kind: 'output', position: written, data: Buffer.alloc(count, 'x').toString('base64') });
    written += count;
  };
  return { clock, attach, write, ends };
}

test('how far a client is, its pongs say: asked after so many bytes, or a moment after any; a pong that nobody asked for says nothing', () => {
  const { clock, attach, write } = stage();
  const { socket, connection } = attach();
  write(10);
  assert.deepEqual(socket.pings, []);
  clock.pass(250);
  assert.deepEqual(socket.pings, ['10']);
  for (let pieces = 0; pieces < 10; pieces += 1) write(32_768);
  assert.deepEqual(socket.pings, ['10', '32778', '65546', '98314', '131072']);
  assert.equal(socket.bytes, 131_072);
  for (const forged of ['999999', '-1', '1e9', 'x', '', '131073']) connection.ponged(forged);
  assert.equal(socket.bytes, 131_072);
  connection.ponged('65546');
  assert.equal(socket.bytes, 131_072 + 65_546);
});

test('who is silent for three beats is gone, and the time for coming back begins; one that answers stays', () => {
  const { clock, attach, ends } = stage();
  const { socket, connection } = attach();
  for (let beats = 0; beats < 10; beats += 1) {
    clock.pass(15_000);
    connection.ponged('');
  }
  assert.equal(socket.closed, null);
  clock.pass(60_000);
  assert.deepEqual(socket.closed, [4408, 'silent']);
  clock.pass(1000);
  assert.equal(ends.length, 1);
});

test('a client that is not read from is never silent, and what the kernel has taken counts as read: both directions can not wait for each other', () => {
  const { clock, attach, write } = stage();
  const { socket, connection } = attach();
  for (let pieces = 0; pieces < 5; pieces += 1) write(32_768);
  assert.equal(socket.bytes, 131_072);
  connection.received(Buffer.alloc(65_536), true);
  assert.ok(socket.isPaused);
  assert.equal(socket.bytes, 131_072);
  for (const flushed of socket.flushes.splice(0)) flushed();
  assert.equal(socket.bytes, 163_840);
  clock.pass(600_000);
  assert.equal(socket.closed, null);
});

test('pings are answered, a flood of them ends the connection', () => {
  const { attach } = stage();
  const { socket, connection } = attach();
  for (let pings = 0; pings < 6000; pings += 1) connection.pinged(Buffer.from('x'));
  assert.deepEqual([socket.pongs, socket.closed], [5000, [4429, 'tooFast']]);
});

test('a ticket is good for its issuer and its key alone, once, and not after its time', () => {
  const clock = new VirtualClock();
  const make = (key: string) => new TerminalTickets({ clock, random: systemRandom, key: Buffer.from(key) }, 1000);
  const [issuer, peer, stranger] = [make('key'), make('key'), make('other')];
  const terms = { tenantId: 'one', executionId: 'exec_a' };
  const isRefused = { code: 'unauthenticated' };
  const { ticket, expiresAtMs } = issuer.issue(terms);
  assert.equal(expiresAtMs, clock.nowMs() + 1000);
  const { tenantId, executionId } = peer.read(ticket);
  assert.deepEqual({ tenantId, executionId }, terms);
  assert.throws(() => stranger.read(ticket), isRefused);
  assert.throws(() => peer.use(ticket, 'exec_a'), isRefused);
  assert.throws(() => issuer.use(ticket, 'exec_b'), isRefused);
  issuer.use(ticket, 'exec_a');
  assert.throws(() => issuer.use(ticket, 'exec_a'), isRefused);
  const late = issuer.issue(terms).ticket;
  clock.pass(1000);
  assert.throws(() => issuer.read(late), isRefused);
  for (let open = 0; open < 1000; open += 1) issuer.issue(terms);
  assert.throws(() => issuer.issue(terms), { code: 'queue-full' });
  issuer.issue({ ...terms, tenantId: 'two' });
  clock.pass(1000);
  issuer.issue(terms);
});
