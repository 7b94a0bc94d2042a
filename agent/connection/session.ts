/**
 * Owns the agent's side of the protocol: hello, proof, welcome, then messages in and reports out, over one connection after another.
 * Never runs anything: what is offered and wanted goes to its listener.
 * Invariant: the connection's state moves by its lifecycle table only; nothing but the handshake is sent before the welcome.
 */
import type { Clock, Timer } from '../../shared/clock.ts';
import { errorCatalog, SystemError } from '../../shared/errors.ts';
import { type ConnectionCause, type ConnectionState, connectionLifecycle } from '../../shared/lifecycle/agent.ts';
import type { Logger } from '../../shared/logger.ts';
import type { AgentMessage } from '../../shared/protocol/agent-messages.ts';
import { encodeMessage } from '../../shared/protocol/catalog.ts';
import { type CoordinatorMessage, decodeCoordinatorMessage } from '../../shared/protocol/coordinator-messages.ts';
import { closeCodes, PROTOCOL_VERSION } from '../../shared/protocol/version.ts';
import type { Connection, ConnectionOwner } from './connector.ts';
import type { Identity } from './identity.ts';

type Named<Message, Name> = Extract<Message, { type: Name }>;
/** One message of the coordinator. */
export type Received<Name extends CoordinatorMessage['type']> = Named<CoordinatorMessage, Name>;
/** What this agent says about itself, besides its identity. */
export type AgentFacts = Omit<
  Named<AgentMessage, 'agent.hello'>,
  'type' | 'protocol' | 'publicKey' | 'agentId' | 'token'
>;
/** The agent's present state. */
export type AgentReport = Omit<Named<AgentMessage, 'agent.report'>, 'type'>;

/** Who does what the coordinator says. */
export interface SessionListener {
  /** We are in; called before anything else is sent, so that results may go first. */
  welcomed(message: Received<'session.welcome'>): void;
  /** The coordinator turned us away. */
  refused(): void;
  lost(): void;
  offered(message: Received<'lease.offer'>): void;
  cancelled(lease: string): void;
  /** Something for the terminal of a lease. */
  commanded(message: Received<'lease.command'>): void;
  acknowledged(lease: string): void;
  /** Leases that the coordinator wants; whatever else is held is to be ended without a result. */
  wanted(leases: readonly string[]): void;
  /** What it was told of executions of this agent's own site is recorded there, or refused. */
  recorded(message: Received<'executions.recorded'>): void;
  /** An operator wants this agent to take no leases, or to take them again. */
  drainWanted(isDraining: boolean): void;
  prefetch(message: Received<'layers.prefetch'>): void;
  /** Layers that are never to go, all of them. */
  pinned(digests: readonly string[]): void;
  /** The newest trust state. */
  trusted(message: Received<'trust.state'>): void;
  report(): AgentReport;
}

/** What a session needs. */
export interface SessionOptions {
  readonly identity: Pick<Identity, 'publicKey' | 'agentId' | 'prove' | 'enrolled'>;
  /** The one-time enrolment token of this moment, or null; asked when there is no id, or one that was refused. */
  readonly token: () => string | null;
  readonly facts: AgentFacts;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Closed so, dialling again soon would not help. */
const discouraging: ReadonlySet<number> = new Set([
  closeCodes.protocolMismatch,
  closeCodes.superseded,
  closeCodes.messageInvalid,
]);

/** The conversation with a coordinator. */
export class Session implements ConnectionOwner {
  readonly #options: SessionOptions;
  readonly #listener: SessionListener;
  #state: ConnectionState = 'disconnected';
  #connection: Connection | null = null;
  #reportIntervalMs = 0;
  #takesPieces = false;
  #reportTimer: Timer | null = null;
  #isReportDue = false;
  #isIdDoubted = false;
  #lastComplaint = '';

  constructor(options: SessionOptions, listener: SessionListener) {
    this.#options = options;
    this.#listener = listener;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get isReady(): boolean {
    return this.#state === 'ready' || this.#state === 'draining';
  }

  /** Sends when we are in; false when not, and then the message is gone. */
  send(message: AgentMessage): boolean {
    return this.sendText(encodeMessage(message));
  }

  /** `send` for a message that is text already. */
  sendText(text: string): boolean {
    if (!this.isReady) return false;
    this.#connection?.send(text, this.#takesPieces);
    return true;
  }

  /** Something in the report has changed: it is sent soon, once for all changes of this turn. */
  changed(): void {
    if (this.#isReportDue) return;
    this.#isReportDue = true;
    setImmediate(() => {
      this.#isReportDue = false;
      this.#report();
    });
  }

  /** Shows by the connection's state that no offers are wanted, or are again. */
  setDraining(isDraining: boolean): void {
    const cause = isDraining ? 'drain' : 'resume';
    if (connectionLifecycle.allows(this.#state, cause)) this.#move(cause);
    this.changed();
  }

  dialling(): void {
    this.#move('dial');
  }

  opened(connection: Connection): void {
    this.#move('opened');
    this.#connection = connection;
    const { identity, token, facts } = this.#options;
    // A coordinator that lost its memory does not know our id any more; with a token we may enrol again.
    const offered = identity.agentId === null || this.#isIdDoubted ? token() : null;
    const who = { publicKey: identity.publicKey, agentId: offered === null ? identity.agentId : null, token: offered };
    connection.send(encodeMessage({ type: 'agent.hello', protocol: PROTOCOL_VERSION, ...who, ...facts }), false);
  }

  message(text: string): void {
    let message: CoordinatorMessage;
    try {
      message = decodeCoordinatorMessage(text);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.#options.logger.error({ detail: error.message }, 'message refused');
      this.#connection?.close(closeCodes.messageInvalid, error.message.slice(0, 100));
      return;
    }
    if (this.isReady) this.#dispatch(message);
    else if (this.#state === 'handshaking') this.#shakeHands(message);
  }

  closed(code: number, reason: string): void {
    const wasReady = this.isReady;
    const wasRefused = this.#state === 'disconnected';
    this.#connection = null;
    this.#reportTimer?.cancel();
    if (!wasRefused) this.#move(code === closeCodes.superseded && wasReady ? 'superseded' : 'lost', { code, reason });
    if (discouraging.has(code)) this.#listener.refused();
    if (wasReady) this.#listener.lost();
    else if (!wasRefused) this.#complain('coordinator not reached', { code, reason });
  }

  #shakeHands(message: CoordinatorMessage): void {
    if (message.type === 'session.challenge') {
      const signature = this.#options.identity.prove(message.nonce);
      this.#connection?.send(encodeMessage({ type: 'agent.proof', signature }), false);
    } else if (message.type === 'session.welcome') {
      this.#welcome(message);
    } else if (message.type === 'session.refused') {
      this.#refused(message);
    }
  }

  #welcome(message: Received<'session.welcome'>): void {
    const { identity, logger } = this.#options;
    this.#isIdDoubted = false;
    this.#lastComplaint = '';
    this.#reportIntervalMs = message.reportIntervalMs;
    this.#takesPieces = message.understands?.includes('message.pieces') ?? false;
    identity.enrolled(message.agentId).catch((cause: unknown) => logger.error({ cause }, 'agent id not kept'));
    this.#move('welcomed', { agentId: message.agentId });
    this.#listener.welcomed(message);
    this.#report();
  }

  #refused(message: Received<'session.refused'>): void {
    const { code, reason } = message;
    this.#complain('coordinator refused this agent', { code, reason });
    // Only a refusal of the agent itself says something about its id; the coordinator may also lack something of its own for a while.
    const isOurs = code === 'agent-refused';
    const isTokenNext = isOurs && !this.#isIdDoubted && this.#options.identity.agentId !== null;
    if (isOurs) this.#isIdDoubted = isTokenNext;
    this.#move('refused');
    const isPassing = Object.entries(errorCatalog).some(([name, { retryable }]) => name === code && retryable);
    if (!isTokenNext && !isPassing) this.#listener.refused();
    this.#connection?.close(closeCodes.refused, 'refused');
  }

  #dispatch(message: CoordinatorMessage): void {
    switch (message.type) {
      case 'lease.offer':
        this.#listener.offered(message);
        break;
      case 'lease.acknowledged':
        this.#listener.acknowledged(message.lease);
        break;
      case 'lease.cancel':
        this.#listener.cancelled(message.lease);
        break;
      case 'lease.command':
        this.#listener.commanded(message);
        break;
      case 'session.wanted':
        this.#listener.wanted(message.leases);
        break;
      case 'executions.recorded':
        this.#listener.recorded(message);
        break;
      case 'agent.drain':
        this.#listener.drainWanted(message.state === 'drain');
        break;
      case 'layers.prefetch':
        this.#listener.prefetch(message);
        break;
      case 'layers.pinned':
        this.#listener.pinned(message.digests);
        break;
      case 'trust.state':
        this.#listener.trusted(message);
        break;
      case 'session.refused':
        this.#complain('coordinator refused a message', message);
        break;
      default:
        this.#options.logger.warn({ type: message.type }, 'message out of turn');
    }
  }

  #report(): void {
    this.#reportTimer?.cancel();
    if (!this.isReady) return;
    this.send({ type: 'agent.report', ...this.#listener.report() });
    if (this.#reportIntervalMs > 0)
      this.#reportTimer = this.#options.clock.after(this.#reportIntervalMs, () => this.#report());
  }

  /** Said once, until something else is wrong or we are in. */
  #complain(what: string, fields: { code: number | string; reason: string }): void {
    const complaint = `${what} ${fields.code} ${fields.reason}`;
    if (complaint !== this.#lastComplaint) this.#options.logger.error(fields, what);
    this.#lastComplaint = complaint;
  }

  #move(cause: ConnectionCause, fields: object = {}): void {
    const from = this.#state;
    const wasReady = this.isReady;
    this.#state = connectionLifecycle.next(from, cause);
    this.#options.logger[wasReady || this.isReady ? 'info' : 'debug'](
      { from, to: this.#state, cause, ...fields },
      'connection moved',
    );
  }
}
