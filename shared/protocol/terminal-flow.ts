/**
 * Owns what coordinator and agent say about the terminal of a lease. Both directions are streams of bytes with positions: whoever sends keeps what the
 * other has not said to have taken, at most a window of it, and says it again over a new connection; whoever receives passes over what it has.
 * So nothing is lost or comes twice, however often a connection breaks, and neither side ever holds more than a window.
 * Never knows who carries these (agent-messages, coordinator-messages, peer-messages).
 */
import { type Static, Type } from '@sinclair/typebox';
import { Closed, OneOf } from '../model/closed.ts';
import { TerminalSize, terminalSignals } from '../model/terminal.ts';

const position = Type.Integer({ minimum: 0 });
const data = Type.String({ description: 'base64' });

/** The terminal of an order: its size, and the windows of its two streams. */
export const TerminalOrder = Closed({
  ...TerminalSize.properties,
  inputBytesMax: Type.Integer({ minimum: 1, description: 'Input that may be on its way and not taken.' }),
  outputBytesMax: Type.Integer({
    minimum: 1,
    description: 'Output likewise; a program that writes more is held back.',
  }),
  isPiped: Type.Optional(
    Type.Literal(true, {
      description: 'Pipes in its place: only input is said here, and output is told as that of any other script.',
    }),
  ),
});
export type TerminalOrder = Static<typeof TerminalOrder>;

/** To the agent. */
export const TerminalCommand = Type.Union([
  Closed({ kind: Type.Literal('input'), position, data, isLast: Type.Boolean() }),
  Closed({ kind: Type.Literal('resize'), ...TerminalSize.properties }),
  Closed({ kind: Type.Literal('signal'), signal: OneOf(terminalSignals) }),
  Closed({ kind: Type.Literal('taken'), position }, { description: 'Output before it was taken.' }),
  Closed(
    { kind: Type.Literal('repeat') },
    { description: 'Something was lost on its way: say `resumed` again, and all output that was not taken.' },
  ),
]);
export type TerminalCommand = Static<typeof TerminalCommand>;

/** From the agent. */
export const TerminalNews = Type.Union([
  Closed(
    { kind: Type.Literal('resumed'), position },
    { description: 'It is here; input is wanted from there on, and the size.' },
  ),
  Closed({ kind: Type.Literal('started') }, { description: 'The program runs.' }),
  Closed({ kind: Type.Literal('taken'), position }, { description: 'Input before it was taken.' }),
  Closed({ kind: Type.Literal('output'), position, data }),
]);
export type TerminalNews = Static<typeof TerminalNews>;
