/**
 * Owns what is said over an interactive execution's terminal: the WebSocket's subprotocol, its text messages, its close codes. Binary messages are the
 * program's input and output as they are. docs/terminal.md explains it to clients.
 * Never knows a socket. Invariant: a message of one side is none of the other's.
 */
import { type Static, Type } from '@sinclair/typebox';
import { stages } from '../lifecycle/execution.ts';
import { Closed, OneOf, Timestamp } from './closed.ts';
import { Execution } from './execution.ts';
import { Report } from './verdict.ts';

/** The subprotocol that a client must offer. */
export const TERMINAL_PROTOCOL = 'envicutor.terminal.v1';
/** A ticket is offered as another subprotocol behind this: headers of this kind are not written into logs as addresses are. */
export const TICKET_PROTOCOL_PREFIX = 'envicutor.ticket.';

/** Signals that the terminal's foreground processes can be sent; CONT lets those go on that TSTP has stopped. */
export const terminalSignals = ['HUP', 'INT', 'QUIT', 'KILL', 'TERM', 'CONT', 'TSTP'] as const;
export type TerminalSignal = (typeof terminalSignals)[number];

const extent = Type.Integer({ minimum: 1, maximum: 65_535 });

/** A terminal's size in characters. */
export const TerminalSize = Closed({ rows: extent, columns: extent });

/** What a client says in text. */
export const TerminalRequest = Type.Union([
  Closed({ type: Type.Literal('resize'), ...TerminalSize.properties }),
  Closed({ type: Type.Literal('signal'), signal: OneOf(terminalSignals) }),
  Closed(
    { type: Type.Literal('end') },
    { description: 'No input will come any more: the end-of-file key is typed, once.' },
  ),
]);
export type TerminalRequest = Static<typeof TerminalRequest>;

const position = Type.Integer({ minimum: 0, description: 'Bytes of output before it.' });

const { stage, verdict, endedIn, failure } = Execution.properties;

/** What of an execution its terminal is told at the end. */
export const TerminalExit = Closed({
  ...{ stage, verdict, endedIn, failure },
  exitCode: Report.properties.exitCode,
  signal: Report.properties.signal,
});
export type TerminalExit = Static<typeof TerminalExit>;

/** What a client is told in text. */
export const TerminalAnswer = Type.Union([
  Closed({
    type: Type.Literal('attached'),
    executionId: Type.String(),
    stage: OneOf(stages),
    isStarted: Type.Boolean({ description: 'Does the program run already?' }),
    position,
    missedBytes: Type.Integer({
      minimum: 0,
      description: 'What was asked for before `position` and is not remembered any more.',
    }),
  }),
  Closed({ type: Type.Literal('stage'), stage: OneOf(stages) }),
  Closed({ type: Type.Literal('started') }, { description: "The run script's program runs." }),
  Closed(
    { type: Type.Literal('exit'), ...TerminalExit.properties },
    { description: 'How it ended; `GET /v1/executions/:id` has the rest.' },
  ),
  Closed({ type: Type.Literal('error'), code: Type.String(), detail: Type.String() }),
]);
export type TerminalAnswer = Static<typeof TerminalAnswer>;

/** Why a terminal's connection is closed by us; 1009 besides, for a message above TERMINAL_MESSAGE_BYTES_MAX. */
export const terminalCloseCodes = {
  /** The execution is over, all output and `exit` were sent. */
  exited: 1000,
  /** A text message that is none of the protocol. */
  messageInvalid: 4400,
  /** Another client of this tenant has attached: there is one at a time. */
  takenOver: 4409,
  /** More messages than anybody types. */
  tooFast: 4429,
  /** Silent for so long that nobody can be there. */
  silent: 4408,
  /** This coordinator goes away, or another one answers for the tenant: attach again. */
  moved: 4503,
} as const;
export type TerminalClosing = keyof typeof terminalCloseCodes;

/** The largest message of a client in bytes. */
export const TERMINAL_MESSAGE_BYTES_MAX = 65_536;

/** A ticket for one attachment. */
export const TerminalTicket = Closed(
  {
    ticket: Type.String({ description: 'Good once, for this execution alone.' }),
    expiresAt: Timestamp,
  },
  { title: 'TerminalTicket', description: 'A ticket for one attachment to a terminal.' },
);
