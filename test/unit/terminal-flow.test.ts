/**
 * Owns the flow of a terminal in both directions without a socket: what is kept, what is held back, what is said again, and when nobody being there
 * ends it. Time is a test's.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LeaseTerminal } from '../../agent/execution/lease-terminal.ts';
import { InputWindow } from '../../coordinator/terminals/input-window.ts';
import { OutputScrollback } from '../../coordinator/terminals/output-scrollback.ts';
import { Terminal, type TerminalClient } from '../../coordinator/terminals/terminal.ts';
import { EventLog } from '../../shared/http/event-log.ts';
import type { TerminalAnswer } from '../../shared/model/terminal.ts';
import type { TerminalCommand, TerminalNews } from '../../shared/protocol/terminal-flow.ts';
import { openPace } from '../support/open-pace.ts';
import { SeededNumbers } from '../support/seeded-numbers.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');

/** A client that reads as far as a test says. */
class Reader implements TerminalClient {
  text = '';
  position = 0;
  isWanted = true;
  readonly told: TerminalAnswer[] = [];
  closed = '';

  tell(answer: TerminalAnswer): void {
    this.told.push(answer);
  }

  output(bytes: Buffer, position: number): void {
    this.text += bytes.toString();
    this.position = position;
  }

  wantInput(isWanted: boolean): void {
    this.isWanted = isWanted;
  }

  close(why: string): void {
    this.closed = why;
  }
}

function stage() {
  const clock = new VirtualClock();
  const log = new EventLog(1 << 20);
  const terminal = new Terminal(clock, 'exec_00000000', log);
  const commands: TerminalCommand[] = [];
  const ends: string[] = [];
  terminal.serve(
    { terminalWaitMsMax: 1000, terminalAwayMsMax: 5000 },
    { command: (command) => commands.push(command), unattended: ({ message }) => ends.push(message) },
  );
  let written = 0;
  const write = (text: string) => {
    terminal.heard({ kind: 'output', position: written, data: base64(text) });
    written += text.length;
  };
  const of = <Kind extends TerminalCommand['kind']>(kind: Kind) =>
    commands.flatMap((command) => (command.kind === kind ? [command as Extract<TerminalCommand, { kind: Kind }>] : []));
  return { clock, log, terminal, commands, ends, write, of };
}

test('a client that does not read is sent an eighth of a megabyte and no more, and its program is told so by silence', () => {
  const { terminal, write, of } = stage();
  const reader = new Reader();
  terminal.attach(reader, null);
  for (let pieces = 0; pieces < 64; pieces += 1) write('x'.repeat(4096));
  assert.equal(reader.position, 131_072);
  assert.deepEqual(of('taken'), []);
  terminal.arrived(reader, 131_072);
  assert.equal(reader.position, 262_144);
  assert.deepEqual(of('taken').at(-1), { kind: 'taken', position: 131_072 });
  terminal.arrived(reader, 1e12);
  assert.equal(of('taken').length, 1, 'nobody has read what was never sent');
});

test('what was written and not read is there for the next client, whoever it is; what was read, as far as it is remembered', () => {
  const { terminal, write } = stage();
  write('before ');
  const first = new Reader();
  terminal.attach(first, null);
  write('and after');
  assert.equal(first.text, 'before and after');
  terminal.detach(first);
  write(', and while nobody was there');
  const second = new Reader();
  terminal.attach(second, 'before and'.length);
  assert.equal(second.text, ' after, and while nobody was there');
  const third = new Reader();
  terminal.attach(third, 1_000_000);
  assert.deepEqual([second.closed, third.text], ['takenOver', '']);
  for (let pieces = 0; pieces < 200; pieces += 1) {
    write('y'.repeat(4096));
    terminal.arrived(third, third.position);
  }
  const late = new Reader();
  terminal.attach(late, 5);
  const [attached] = late.told;
  assert.ok(attached?.type === 'attached');
  assert.ok(attached.missedBytes > 0 && attached.position === 5 + attached.missedBytes);
  assert.ok(third.position - attached.position >= 262_144);
});

test('a client that comes after more was read than is remembered is told where it is, and gets what was written there', () => {
  const { terminal, write } = stage();
  const reader = new Reader();
  terminal.attach(reader, null);
  let all = '';
  for (let number = 0; all.length < 300_000; number += 1) {
    const line = `${number}\n`.repeat(100);
    write(line);
    all += line;
    terminal.arrived(reader, reader.position);
  }
  // Written since, and not known to have arrived.
  const tail = 'z'.repeat(10_000);
  write(tail);
  all += tail;
  const next = new Reader();
  terminal.attach(next, null);
  for (let heard = 0; heard < next.position; ) {
    heard = next.position;
    terminal.arrived(next, heard);
  }
  const [attached] = next.told;
  assert.ok(attached?.type === 'attached' && attached.position === attached.missedBytes);
  assert.ok(next.text === all.slice(attached.position));
  assert.equal(next.position, all.length);
});

test('a piece of output that is missing is asked for once, and what comes twice is heard once', () => {
  const { terminal, write, of, log } = stage();
  const reader = new Reader();
  terminal.attach(reader, null);
  terminal.heard({ kind: 'output', position: 3, data: base64('def') });
  terminal.heard({ kind: 'output', position: 6, data: base64('ghi') });
  assert.deepEqual([reader.text, of('repeat').length], ['', 1]);
  terminal.heard({ kind: 'resumed', position: 0 });
  for (const [position, text] of [
    [0, 'abc'],
    [0, 'abcd'],
    [3, 'def'],
    [2, 'cdefg'],
  ] as const)
    terminal.heard({ kind: 'output', position, data: base64(text) });
  assert.equal(reader.text, 'abcdefg');
  assert.equal(log.last, 4);
  write('');
});

test('nobody at the terminal ends it by its own time: who never came sooner than who may come back, and not before the program runs', () => {
  const { clock, terminal, ends } = stage();
  clock.pass(100_000);
  assert.deepEqual(ends, []);
  terminal.heard({ kind: 'started' });
  clock.pass(999);
  const reader = new Reader();
  terminal.attach(reader, null);
  clock.pass(100_000);
  assert.deepEqual(ends, []);
  terminal.detach(reader);
  clock.pass(4000);
  const again = new Reader();
  terminal.attach(again, null);
  terminal.detach(reader);
  clock.pass(100_000);
  assert.deepEqual(ends, [], 'the one before is not missed');
  terminal.detach(again);
  clock.pass(5000);
  assert.deepEqual(ends, ['the terminal was ended: its client was away for 5000 ms']);
});

test('input beyond a window stops its client until the program reads, whatever comes is kept in order', () => {
  const { terminal, of } = stage();
  const reader = new Reader();
  terminal.attach(reader, null);
  terminal.type(reader, Buffer.alloc(40_000, 'a'));
  assert.ok(reader.isWanted);
  terminal.type(reader, Buffer.alloc(40_000, 'b'));
  assert.deepEqual([reader.isWanted, of('input').length], [false, 0]);
  terminal.heard({ kind: 'resumed', position: 0 });
  const sent = () => of('input').reduce((sum, { data }) => sum + Buffer.from(data, 'base64').length, 0);
  assert.equal(sent(), 65_536);
  terminal.heard({ kind: 'taken', position: 32_768 });
  assert.deepEqual([sent(), reader.isWanted], [80_000, true]);
  terminal.ask(reader, { type: 'end' });
  assert.deepEqual(of('input').at(-1), { kind: 'input', position: 80_000, data: '', isLast: true });
  terminal.type(reader, Buffer.from('late'));
  assert.equal(sent(), 80_000);
});

test('a terminal whose program began can not begin elsewhere; one that had not can, with all that was typed', () => {
  const { terminal, of } = stage();
  const reader = new Reader();
  terminal.attach(reader, null);
  terminal.heard({ kind: 'resumed', position: 0 });
  terminal.type(reader, Buffer.from('typed'));
  const lost = { message: 'agent lost' } as never;
  assert.equal(terminal.requeued(lost), null);
  terminal.heard({ kind: 'resumed', position: 0 });
  assert.deepEqual(
    of('input').map(({ position, data }) => [position, data]),
    [
      [0, base64('typed')],
      [0, base64('typed')],
    ],
  );
  terminal.heard({ kind: 'started' });
  assert.equal(terminal.requeued(lost)?.code, 'terminal-lost');
});

test('input that an agent has taken is not there for another one: such a terminal is lost, too', () => {
  const { terminal } = stage();
  const reader = new Reader();
  terminal.attach(reader, null);
  terminal.heard({ kind: 'resumed', position: 0 });
  terminal.type(reader, Buffer.from('typed'));
  terminal.heard({ kind: 'taken', position: 2 });
  assert.equal(terminal.requeued({ message: 'agent lost' } as never)?.code, 'terminal-lost');
});

test('what was not read at the end waits for whoever reads it, and for nobody else for ever', () => {
  const { clock, terminal, write, log } = stage();
  const slow = new Reader();
  terminal.attach(slow, null);
  for (let pieces = 0; pieces < 50; pieces += 1) write('z'.repeat(4096));
  log.close('finished', { stage: 'finished', verdict: 'ok', endedIn: 'run', failure: null, run: null, compile: null });
  clock.pass(60_000);
  terminal.arrived(slow, 131_072);
  assert.deepEqual([slow.text.length, slow.closed, slow.told.at(-1)?.type], [204_800, 'exited', 'exit']);
  const late = new Reader();
  terminal.attach(late, 0);
  assert.equal(late.text.length, 131_072);
  terminal.detach(late);
  clock.pass(60_000);
  const later = new Reader();
  terminal.attach(later, 0);
  assert.deepEqual([later.text.length, later.closed], [0, 'exited']);
});

test('both ends of a link that loses whatever it likes: every byte arrives once, in order, and neither side holds more than a window', () => {
  for (let seed = 0; seed < 200; seed += 1) {
    const random = new SeededNumbers(`terminal-${seed}`);
    let isCut = false;
    const toAgent: TerminalCommand[] = [];
    const toCoordinator: TerminalNews[] = [];
    let tellLater: (() => void) | null = null;
    const order = { rows: 1, columns: 1, inputBytesMax: 100, outputBytesMax: 200 };
    const tell = (news: TerminalNews): void => {
      if (!isCut) toCoordinator.push(news);
    };
    const agent = new LeaseTerminal(order, tell, (due) => ({
      ...openPace(),
      get isOpen() {
        return random.below(2) === 0;
      },
      wait: () => (tellLater ??= due),
      rest: () => (tellLater = null),
    }));
    const output = new OutputScrollback();
    const window = new InputWindow(100, (input) => {
      if (!isCut) toAgent.push(input);
    });
    let heard = '';
    let said = '';
    let credit = 200;
    agent.launched({ resize: () => undefined, taken: (bytes: number) => (credit += bytes) } as never);
    const hear = (news: TerminalNews) => {
      if (news.kind === 'taken') window.took(news.position);
      else if (news.kind === 'resumed') window.open(news.position);
      else if (news.kind === 'output') heard += output.add(news.position, Buffer.from(news.data, 'base64')) ?? '';
      if (!isCut && random.below(3) === 0) toAgent.push({ kind: 'taken', position: output.end });
    };
    agent.begin();
    for (let step = 0; step < 400; step += 1) {
      const what = random.below(10);
      if (what < 4) window.add(Buffer.from(`i${step} `));
      else if (what < 7 && credit >= 6) {
        const text = `o${step} `;
        credit -= text.length;
        said += text;
        agent.output(Buffer.from(text));
      } else if (what === 7) isCut = true;
      else if (what === 9) (tellLater as (() => void) | null)?.();
      else if (what === 8 && isCut) {
        isCut = false;
        toAgent.length = toCoordinator.length = 0;
        agent.repeat();
      }
      if (!isCut) for (const news of toCoordinator.splice(0, random.below(4))) hear(news);
      if (!isCut) for (const command of toAgent.splice(0, random.below(4))) agent.command(command);
      assert.ok(said.length - output.end <= 200);
    }
    isCut = false;
    toAgent.length = toCoordinator.length = 0;
    agent.repeat();
    agent.flush();
    while (toCoordinator.length + toAgent.length > 0) {
      for (const news of toCoordinator.splice(0)) hear(news);
      for (const command of toAgent.splice(0)) agent.command(command);
    }
    assert.equal(heard, said, `seed ${seed}`);
  }
});

test('the agent gives its program each byte once, and says what was taken', async () => {
  const news: TerminalNews[] = [];
  const order = { rows: 1, columns: 1, inputBytesMax: 10, outputBytesMax: 10 };
  const agent = new LeaseTerminal(order, (said) => news.push(said), openPace);
  const input = agent.input[Symbol.asyncIterator]();
  const type = (position: number, text: string, isLast = false) =>
    agent.command({ kind: 'input', position, data: base64(text), isLast });
  type(0, 'abc');
  type(0, 'abcde');
  type(7, 'gap');
  type(5, 'too much of it');
  type(5, 'fgh', true);
  const got: string[] = [];
  for (;;) {
    const { value, done } = await input.next();
    if (done === true) break;
    got.push(Buffer.from(value).toString());
  }
  assert.deepEqual(got, ['abc', 'de', 'fgh']);
  assert.deepEqual(news.at(-1), { kind: 'taken', position: 8 });
});
