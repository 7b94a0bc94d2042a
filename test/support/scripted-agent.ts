/**
 * Owns an agent that does what a test tells it, over a real WebSocket. Never sandboxes anything; the protocol is the real one.
 */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { type AgentMessage, challengeText } from '../../shared/protocol/agent-messages.ts';
import { type CoordinatorMessage, decodeCoordinatorMessage } from '../../shared/protocol/coordinator-messages.ts';
import { PROTOCOL_VERSION } from '../../shared/protocol/version.ts';
import { hearMessages } from './whole-messages.ts';

type Offer = Extract<CoordinatorMessage, { type: 'lease.offer' }>;

/** What a test may change of an agent. */
export interface AgentScript {
  readonly token?: string | null;
  readonly agentId?: string | null;
  readonly protocol?: number;
  readonly keys?: { publicKey: KeyObject; privateKey: KeyObject };
  /** How it writes its public key; absent: as base64 of its DER. */
  readonly spelled?: (der: Buffer) => string;
  readonly signedText?: (nonce: string) => string;
  readonly name?: string;
  readonly slots?: number;
  readonly pool?: string;
  readonly labels?: Record<string, string>;
  readonly exclusiveCores?: boolean;
  /** Optional parts of the protocol that it takes; absent: it does not know that there are any. */
  readonly understands?: string[];
  /** What it offers beside slots; absent: it does not say. */
  readonly offer?: { memoryBytes: number; diskBytes: number };
  /** Called for every offer. */
  readonly offered?: (offer: Offer, agent: ScriptedAgent) => void;
}

/** A connected agent; `said` holds everything that the coordinator has said. */
export class ScriptedAgent {
  readonly said: CoordinatorMessage[] = [];
  /** How many pieces of messages have come. */
  pieces = 0;
  readonly socket: WebSocket;
  readonly #offer: AgentScript['offer'];
  readonly keys: { publicKey: KeyObject; privateKey: KeyObject };
  /** Close code and reason, once it is closed. */
  readonly closed: Promise<{ code: number; reason: string }>;

  constructor(url: string, script: AgentScript) {
    this.keys = script.keys ?? generateKeyPairSync('ed25519');
    this.socket = new WebSocket(`${url.replace('http', 'ws')}/agents`);
    const { spelled = (der) => der.toString('base64') } = script;
    const publicKey = spelled(this.keys.publicKey.export({ type: 'spki', format: 'der' }));
    const {
      token = null,
      agentId = null,
      protocol = PROTOCOL_VERSION,
      name = 'scripted',
      slots = 2,
      pool = 'default',
      labels = {},
      exclusiveCores = false,
    } = script;
    const facts = {
      release: 'test',
      architecture: 'x86_64',
      kernel: 'test',
      cores: 2,
      memoryBytes: 8 * 1024 ** 3,
    } as const;
    const hello = { protocol, name, publicKey, agentId, token, ...facts, pool, labels, exclusiveCores };
    const { understands } = script;
    const more = understands === undefined ? {} : { understands };
    this.#offer = script.offer;
    this.socket.on('open', () => this.say({ type: 'agent.hello', ...hello, ...more }));
    const hear = (text: string): void => {
      const message = decodeCoordinatorMessage(text);
      this.said.push(message);
      if (message.type === 'session.challenge') {
        const text = (script.signedText ?? challengeText)(message.nonce);
        this.say({
          type: 'agent.proof',
          signature: sign(null, Buffer.from(text), this.keys.privateKey).toString('base64'),
        });
      } else if (message.type === 'session.welcome') this.report(slots);
      else if (message.type === 'lease.offer') script.offered?.(message, this);
      this.socket.emit('said', message);
    };
    hearMessages(this.socket, hear, () => {
      this.pieces += 1;
    });
    this.closed = once(this.socket, 'close').then(([code, reason]) => ({ code, reason: String(reason) }));
  }

  say(message: AgentMessage): void {
    this.socket.send(JSON.stringify(message));
  }

  report(total: number, leases: { lease: string; fence: number }[] = [], layers: string[] = []): void {
    this.say({
      type: 'agent.report',
      slots: { total, free: total },
      ...(this.#offer === undefined ? {} : { offer: this.#offer }),
      leases,
      layers,
      draining: false,
    });
  }

  /** The first message of this type that fits, said already or to come. */
  async heard<Name extends CoordinatorMessage['type']>(
    type: Name,
    fits: (message: Extract<CoordinatorMessage, { type: Name }>) => boolean = () => true,
  ): Promise<Extract<CoordinatorMessage, { type: Name }>> {
    for (;;) {
      const all = this.said.filter((message) => message.type === type) as Extract<CoordinatorMessage, { type: Name }>[];
      const found = all.find(fits);
      if (found !== undefined) return found;
      await once(this.socket, 'said');
    }
  }
}
