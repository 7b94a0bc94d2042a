/**
 * Owns one agent's connection: hello, challenge, proof, welcome; then reports, offers' answers and results. The only mover of a connection's
 * state. Never imports ws and never decides who gets what.
 * Invariants: before the welcome nothing but hello and proof is listened to; after the end nothing is sent; a report must come within three
 * intervals.
 */
import type { Clock, Timer } from '../../shared/clock.ts';
import { type ErrorCode, SystemError } from '../../shared/errors.ts';
import type { AgentId } from '../../shared/ids.ts';
import { type ConnectionCause, type ConnectionState, connectionLifecycle } from '../../shared/lifecycle/agent.ts';
import type { Logger } from '../../shared/logger.ts';
import type { AgentCounts } from '../../shared/model/agent-gauges.ts';
import type { Envelope } from '../../shared/model/manifest.ts';
import { type AgentMessage, decodeAgentMessage, type EndedExecution } from '../../shared/protocol/agent-messages.ts';
import { encodeMessage } from '../../shared/protocol/catalog.ts';
import type { CoordinatorMessage } from '../../shared/protocol/coordinator-messages.ts';
import { MessageJoiner } from '../../shared/protocol/message-pieces.ts';
import { unpackResult } from '../../shared/protocol/packed-outputs.ts';
import { acceptedVersions, closeCodes, MESSAGE_BYTES_MAX, PROTOCOL_VERSION } from '../../shared/protocol/version.ts';
import type { EnrolledAgent } from '../executions/state-store.ts';
import type { LeaseEvents } from '../scheduler/scheduler.ts';
import { AgentGrowth, type CacheGrowth } from './agent-growth.ts';
import { type Enrolment, type Hello, toAgentKey } from './enrolment.ts';
import { type AgentFacts, type AgentOffer, type Fleet, FleetAgent } from './fleet.ts';
import { MessageBudget } from './message-budget.ts';
import { toUnderstood, understoodBy } from './understood-messages.ts';

/** The connection as the session uses it. */
export interface AgentSocket {
  /** `mayCut`: the agent takes a long message in pieces. */
  send(text: string, mayCut: boolean): void;
  /** Listens to nothing for this long, but to what has come already; milliseconds. */
  rest(restMs: number): void;
  close(code: number, reason: string): void;
}

/** What every session talks to. */
export interface SessionDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly enrolment: Enrolment;
  readonly fleet: Fleet;
  readonly leases: LeaseEvents;
  /** The trust state; `envelope` rejects until the verifier has signed one, then `newest` is what everybody is told. */
  readonly trust: { envelope(): Promise<Envelope>; readonly newest: Envelope };
  /** What agents say about their layers, and what they are told. */
  readonly cache: AgentCacheEvents;
  /** Records what an agent ran for its own site. */
  readonly site: { record(agent: AgentFacts, executions: readonly EndedExecution[]): Promise<SiteRecords> };
  /** Hears of every agent that is in. */
  readonly joined?: (agentId: AgentId) => void;
  /** Hears of every agent that is in no more, and why. */
  readonly left?: (cause: ConnectionCause) => void;
  /** Hears what caches of agents have done since their reports before. */
  readonly grew?: (agentName: string, growth: CacheGrowth) => void;
  /** Called once for each refusal, so that a stubborn agent fills no log. */
  readonly refused: (name: string, error: SystemError) => void;
}

/** What sessions tell about the layers of agents. */
export interface AgentCacheEvents {
  /** An agent is in: its pins are sent. */
  joined(agent: FleetAgent): void;
  left(agent: FleetAgent): void;
  used(digests: readonly string[]): void;
  damaged(agent: FleetAgent, digest: string, detail: string): void;
  progressed(agentId: AgentId, progress: LayersProgress): void;
}

/** What became of executions that an agent told of. */
export type SiteRecords = Omit<Extract<CoordinatorMessage, { type: 'executions.recorded' }>, 'type'>;

/** How far an agent is with a prefetch. */
export type LayersProgress = Omit<Extract<AgentMessage, { type: 'layers.progress' }>, 'type'>;

/** Intervals that agents are told; milliseconds. */
export interface SessionOptions {
  readonly reportIntervalMs: number;
  readonly leaseTtlMs: number;
}

const HANDSHAKE_MS_MAX = 10_000;

/** One connection of one agent. */
export class AgentSession {
  readonly #deps: SessionDeps;
  readonly #options: SessionOptions;
  readonly #socket: AgentSocket;
  readonly #nonce: string;
  readonly #budget: MessageBudget;
  readonly #growth = new AgentGrowth();
  readonly #pieces = new MessageJoiner();
  #state: ConnectionState = connectionLifecycle.next('disconnected', 'opened');
  #hello: Hello | null = null;
  /** It has given its proof: looking at one costs a signature, and the store if it is one. */
  #hasProved = false;
  #agent: FleetAgent | null = null;
  #deadline: Timer;
  #heardAtMs = 0;
  #isRecording = false;
  #takesPieces = false;

  constructor(socket: AgentSocket, deps: SessionDeps, options: SessionOptions) {
    this.#socket = socket;
    this.#deps = deps;
    this.#options = options;
    this.#nonce = deps.enrolment.nonce();
    this.#budget = new MessageBudget(deps.clock);
    this.#deadline = deps.clock.after(HANDSHAKE_MS_MAX, () =>
      this.#end('lost', closeCodes.refused, 'handshake too slow'),
    );
  }

  get agent(): FleetAgent | null {
    return this.#agent;
  }

  /** Takes one message, or the rest of one; a message that is not of the protocol ends the session. */
  receive(text: string): void {
    this.#take(text, () => {
      const whole = this.#pieces.complete(text);
      if (whole === 'too long') throw tooLong();
      const message = decodeAgentMessage(whole.text);
      if (this.#agent === null) this.#shakeHands(message);
      else this.#handle(message, this.#agent);
    });
  }

  /** Takes a piece of a long message, which `receive` completes. */
  receivePiece(text: string): void {
    this.#take(text, () => {
      if (!this.#takesPieces)
        throw new SystemError('message-invalid', 'pieces come from who has said that it takes them');
      this.#heardAtMs = this.#deps.clock.monotonicMs();
      if (this.#pieces.add(text) === 'too long') throw tooLong();
    });
  }

  #take(text: string, act: () => void): void {
    if (this.#state === 'disconnected') return;
    try {
      const restMs = this.#budget.take(text.length, this.#agent !== null);
      act();
      if (restMs > 0) this.#rest(restMs);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.#refuse(error, error.code === 'protocol-mismatch' ? closeCodes.protocolMismatch : closeCodes.messageInvalid);
    }
  }

  /** It is not silent while nobody listens. */
  #rest(restMs: number): void {
    this.#heardAtMs = Math.max(this.#heardAtMs, this.#deps.clock.monotonicMs() + restMs);
    this.#socket.rest(restMs);
  }

  /** The socket is gone. */
  lost(): void {
    this.#end('lost', 0, '');
  }

  /** Another connection of the same agent has taken over. */
  supersede(): void {
    this.#end('superseded', closeCodes.superseded, 'another connection of this agent took over');
  }

  /** The coordinator goes away; the agent finishes what it holds and comes back. */
  stop(): void {
    this.#end('stopped', closeCodes.draining, 'the coordinator is stopping');
  }

  #send(message: CoordinatorMessage): void {
    if (this.#state !== 'disconnected') this.#socket.send(encodeMessage(message), this.#takesPieces);
  }

  #shakeHands(message: AgentMessage): void {
    if (message.type === 'agent.hello' && this.#hello === null) {
      if (!acceptedVersions.includes(message.protocol)) {
        const spoken = acceptedVersions.join(', ');
        throw new SystemError(
          'protocol-mismatch',
          `the agent speaks protocol ${message.protocol}, this coordinator ${spoken}; install the same release on both`,
        );
      }
      this.#hello = message;
      this.#send({ type: 'session.challenge', nonce: this.#nonce });
    } else if (message.type === 'agent.proof' && this.#hello !== null && !this.#hasProved) {
      this.#hasProved = true;
      this.#admit(this.#hello, message.signature).catch((error: unknown) => {
        const said = error instanceof Error ? error.message : String(error);
        const refusal = error instanceof SystemError ? error : new SystemError('internal', said, { cause: error });
        this.#refuse(refusal, closeCodes.refused);
      });
    } else {
      throw new SystemError('message-invalid', `'${message.type}' can't come before the welcome`);
    }
  }

  async #admit(hello: Hello, signature: string): Promise<void> {
    const { enrolment, trust, clock } = this.#deps;
    const known = await enrolment.admit(hello, this.#nonce, signature);
    await trust.envelope();
    if (this.#state !== 'handshaking') return;
    this.#state = connectionLifecycle.next(this.#state, 'welcomed');
    this.#deadline.cancel();
    this.#heardAtMs = clock.monotonicMs();
    this.#watch();
    this.#send({
      type: 'session.welcome',
      agentId: known.id,
      protocol: Math.min(hello.protocol, PROTOCOL_VERSION),
      reportIntervalMs: this.#options.reportIntervalMs,
      leaseTtlMs: this.#options.leaseTtlMs,
      // In one turn with joining the fleet: a state that comes later is sent to the fleet.
      trust: trust.newest,
      ...(hello.understands === undefined ? {} : { understands: [...understoodBy(hello.understands)] }),
    });
    this.#join(hello, known);
  }

  #join(hello: Hello, known: EnrolledAgent): void {
    const { fleet, leases, log, clock } = this.#deps;
    const { name, architecture, release, kernel, cores, memoryBytes, labels, exclusiveCores = false } = hello;
    const understood = understoodBy(hello.understands);
    this.#takesPieces = understood.has('message.pieces');
    this.#agent = new FleetAgent(
      {
        id: known.id,
        name,
        pool: known.pool,
        labels,
        architecture,
        release,
        kernel,
        cores,
        memoryBytes,
        exclusiveCores,
      },
      {
        isDraining: known.isDraining,
        connectedAtMs: clock.nowMs(),
        key: toAgentKey(known.publicKey),
        understands: [...understood],
        send: (message) => this.#send(toUnderstood(message, understood)),
      },
    );
    this.#agent.superseded = () => this.supersede();
    const before = fleet.get(known.id);
    fleet.join(this.#agent);
    before?.superseded();
    this.#deps.cache.joined(this.#agent);
    leases.joined(known.id);
    this.#deps.joined?.(known.id);
    if (known.isDraining) this.#send({ type: 'agent.drain', state: 'drain' });
    log.info({ agentId: known.id, name, pool: known.pool }, 'agent ready');
  }

  #watch(): void {
    const patienceMs = 3 * this.#options.reportIntervalMs;
    this.#deadline = this.#deps.clock.after(this.#options.reportIntervalMs, () => {
      const silentMs = this.#deps.clock.monotonicMs() - this.#heardAtMs;
      if (silentMs > patienceMs) this.#end('heartbeat-missed', closeCodes.heartbeatMissed, `silent for ${silentMs} ms`);
      else this.#watch();
    });
  }

  #handle(message: AgentMessage, agent: FleetAgent): void {
    const { leases, clock } = this.#deps;
    this.#heardAtMs = clock.monotonicMs();
    agent.heardAtMs = clock.nowMs();
    switch (message.type) {
      case 'agent.report': {
        checkOffer(message.offer, agent);
        agent.report(message.slots.total, message.layers, message.sandbox, message.offer, message.draining);
        agent.trustVersion = message.trustVersion ?? agent.trustVersion;
        if (message.cache !== undefined) this.#counted(agent, message.cache);
        if (message.layersUsed !== undefined) this.#deps.cache.used(message.layersUsed);
        const wanted = leases.reported(agent.id, message.leases);
        if (wanted !== null) this.#send({ type: 'session.wanted', leases: [...wanted] });
        break;
      }
      case 'lease.accepted':
        leases.accepted(agent.id, message.lease);
        break;
      case 'lease.refused':
        leases.refused(agent.id, message.lease, message.reason, message.policy ?? null);
        break;
      case 'lease.stage':
        if (message.stage === 'running') leases.started(agent.id, message.lease);
        break;
      case 'lease.output':
        leases.heard(agent.id, message.lease, (listener, id) => listener.output(id, message));
        break;
      case 'lease.tested':
        leases.heard(agent.id, message.lease, (listener, id) => listener.tested(id, message));
        break;
      case 'lease.fetching':
        leases.heard(agent.id, message.lease, (listener, id) => listener.fetching(id, message));
        break;
      case 'lease.news':
        leases.heard(agent.id, message.lease, (listener, id) => listener.told(id, message.news));
        break;
      case 'layers.progress':
        this.#deps.cache.progressed(agent.id, message);
        break;
      case 'layer.damaged':
        agent.drop(message.digest);
        this.#deps.cache.damaged(agent, message.digest, message.detail);
        break;
      case 'executions.ended':
        this.#record(message.executions, agent);
        break;
      case 'lease.completed':
        this.#complete(message, agent);
        break;
      default:
        throw new SystemError('message-invalid', `'${message.type}' can't come after the welcome`);
    }
  }

  #counted(agent: FleetAgent, counts: AgentCounts): void {
    agent.cache = counts;
    const growth = this.#growth.since(counts);
    if (growth !== null) this.#deps.grew?.(agent.facts.name, growth);
  }

  /** A result that could not be kept is not acknowledged: the agent says it again. */
  #complete(message: Extract<AgentMessage, { type: 'lease.completed' }>, agent: FleetAgent): void {
    const { lease, fence } = message;
    const result = unpackResult(message.result);
    const { leases } = this.#deps;
    let executionId: string | null = null;
    leases.heard(agent.id, lease, (_listener, id) => {
      executionId = id;
    });
    const kept = leases.completed(agent.id, lease, fence, result);
    const acknowledge = () => this.#send({ type: 'lease.acknowledged', lease });
    if (kept === undefined) acknowledge();
    else
      kept.then(acknowledge, (error: unknown) =>
        this.#deps.log.error({ err: error, lease, executionId }, 'result not kept'),
      );
  }

  /** What could not be recorded is not named: the agent says it again, as it does with what comes while the store is busy with what came before. */
  #record(executions: readonly EndedExecution[], agent: FleetAgent): void {
    if (this.#isRecording) return;
    this.#isRecording = true;
    this.#deps.site
      .record(agent.facts, executions)
      .finally(() => {
        this.#isRecording = false;
      })
      .then(
        (records) => this.#send({ type: 'executions.recorded', ...records }),
        (error: unknown) =>
          this.#deps.log.error({ err: error, agentId: agent.id }, 'executions of a site not recorded'),
      );
  }

  #refuse(error: SystemError, closeCode: number): void {
    if (this.#state === 'disconnected') return;
    this.#deps.refused(this.#hello?.name ?? this.#agent?.facts.name ?? 'unknown', error);
    const code: ErrorCode = error.code;
    this.#send({ type: 'session.refused', code, reason: error.message });
    const cause: ConnectionCause = this.#agent === null ? 'refused' : 'lost';
    this.#end(cause, closeCode, error.message);
  }

  #end(cause: ConnectionCause, code: number, reason: string): void {
    if (this.#state === 'disconnected') return;
    this.#state = connectionLifecycle.next(this.#state, cause);
    this.#deadline.cancel();
    // A close reason has at most 123 bytes.
    if (code !== 0) this.#socket.close(code, Buffer.from(reason).subarray(0, 120).toString());
    const agent = this.#agent;
    if (agent === null) return;
    this.#deps.log.info({ agentId: agent.id, cause }, 'agent left');
    this.#deps.left?.(cause);
    if (!this.#deps.fleet.leave(agent)) return;
    this.#deps.leases.left(agent.id);
    this.#deps.cache.left(agent);
  }
}

function tooLong(): SystemError {
  return new SystemError('message-invalid', `a message has at most ${MESSAGE_BYTES_MAX} bytes, its pieces together`);
}

/** Nobody can promise memory that the machine does not have. */
function checkOffer(offer: AgentOffer | undefined, { facts }: FleetAgent): void {
  if (offer === undefined || offer.memoryBytes <= facts.memoryBytes) return;
  const said = `offers ${offer.memoryBytes} bytes of memory and has said that it has ${facts.memoryBytes}`;
  throw new SystemError('message-invalid', `agent.report: the agent ${said}`);
}
