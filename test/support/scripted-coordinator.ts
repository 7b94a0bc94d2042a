/**
 * A coordinator made of a script, on a real WebSocket server: it lets agents in, keeps what they say and says what the test wants.
 * Never schedules anything.
 */
import { EventEmitter, once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { type AgentMessage, decodeAgentMessage } from '../../shared/protocol/agent-messages.ts';
import type { CoordinatorMessage } from '../../shared/protocol/coordinator-messages.ts';
import { createTestKey } from './signed-layers.ts';
import { trustState } from './trust-states.ts';
import { hearMessages } from './whole-messages.ts';

type Named<Name> = Extract<AgentMessage, { type: Name }>;

/** Whose trust states the agents of a test believe. */
export const { signing: coordinatorKey } = createTestKey();

const trust = trustState([coordinatorKey]);
const session = { agentId: 'agent_00000001', protocol: 1, reportIntervalMs: 0, leaseTtlMs: 60_000, trust };
/** What lets an agent in. */
export const welcome: Extract<CoordinatorMessage, { type: 'session.welcome' }> = {
  type: 'session.welcome',
  ...session,
};

export class ScriptedCoordinator {
  readonly received: AgentMessage[] = [];
  /** How many pieces of messages have come. */
  pieces = 0;
  /** What answers a proof; the welcome, unless the test sets a refusal. */
  answerToProof: CoordinatorMessage = welcome;
  readonly #server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  readonly #events = new EventEmitter();
  readonly listening = once(this.#server, 'listening');
  #socket: WebSocket | null = null;

  constructor() {
    this.#server.on('connection', (socket) => {
      this.#socket = socket;
      const hear = (text: string) => this.#receive(decodeAgentMessage(text));
      hearMessages(socket, hear, () => {
        this.pieces += 1;
      });
    });
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}/agents`;
  }

  say = (message: CoordinatorMessage): void => this.#socket?.send(JSON.stringify(message));
  drop = (): void => this.#socket?.close(1001);

  /** The first message of this name that nobody has taken yet. */
  async next<Name extends AgentMessage['type']>(name: Name): Promise<Named<Name>> {
    for (;;) {
      const index = this.received.findIndex(({ type }) => type === name);
      if (index >= 0) return this.received.splice(index, 1)[0] as Named<Name>;
      await once(this.#events, 'message');
    }
  }

  async close(): Promise<void> {
    this.#socket?.terminate();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #receive(message: AgentMessage): void {
    this.received.push(message);
    if (message.type === 'agent.hello') this.say({ type: 'session.challenge', nonce: 'n0nce' });
    if (message.type === 'agent.proof') this.say(this.answerToProof);
    this.#events.emit('message');
  }
}
