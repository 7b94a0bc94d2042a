/**
 * Owns one connection that another coordinator opened to us: its handshake, then its demands and questions.
 * Never dials, and never decides what comes of a demand.
 * Invariant: before the welcome nothing but hello and proof is listened to.
 */
import type { Clock, Random, Timer } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import { encodeMessage } from '../../shared/protocol/catalog.ts';
import { fitResult, packResult } from '../../shared/protocol/packed-outputs.ts';
import { type Addition, additions } from '../../shared/protocol/version.ts';
import { understoodBy } from '../agents/understood-messages.ts';
import type { Guests } from './guests.ts';
import type { PeerSocket, PeerSocketUser } from './peer-gateway.ts';
import { type DialledMessage, type DiallerMessage, decodeDiallerMessage } from './peer-messages.ts';
import { isProven, proveLink } from './peer-proof.ts';

/** What the other says that is not about demands. */
export type PeerWord = Exclude<DiallerMessage, { type: `demand.${string}` | `peer.${string}` }>;

/** What a session talks to. */
export interface PeerSessionDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Derived from the instance key. */
  readonly key: Uint8Array;
  readonly memberId: string;
  /** The guests of the coordinator with this id. */
  readonly guestsOf: (member: string) => Guests;
  /** The handshake is done. */
  readonly welcomed: (session: PeerSession) => void;
  readonly ended: (session: PeerSession) => void;
  readonly said: (word: PeerWord, answer: (message: DialledMessage) => void) => void;
}

const HANDSHAKE_MS_MAX = 5000;
/** Whoever has not proved to be a coordinator has little to say. */
const GREETING_CHARACTERS_MAX = 4096;

/** See the head of this file. */
export class PeerSession implements PeerSocketUser {
  readonly #deps: PeerSessionDeps;
  readonly #nonce: string;
  readonly #deadline: Timer;
  #socket: PeerSocket | null = null;
  #member = '';
  #understood: ReadonlySet<Addition> = new Set();
  #guests: Guests | null = null;

  constructor(deps: PeerSessionDeps) {
    this.#deps = deps;
    this.#nonce = Buffer.from(deps.random.bytes(32)).toString('base64url');
    this.#deadline = deps.clock.after(HANDSHAKE_MS_MAX, () => this.end('handshake too slow'));
  }

  /** Who it is, once it has proved that; '' before. */
  get member(): string {
    return this.#guests === null ? '' : this.#member;
  }

  readonly send = (message: DialledMessage): void => {
    this.#socket?.send(encodeMessage(this.#toUnderstood(message)));
  };

  /** Without what its reader would refuse. */
  #toUnderstood(message: DialledMessage): DialledMessage {
    if (message.type === 'demand.completed')
      return { ...message, result: toUnderstoodResult(message.result, this.#understood) };
    if (message.type !== 'peer.room' || this.#understood.has('order.tests')) return message;
    return { ...message, rooms: message.rooms.map(({ understands: _, ...room }) => room) };
  }

  opened(socket: PeerSocket): void {
    this.#socket = socket;
  }

  message(text: string): void {
    if (this.#socket === null) return;
    try {
      if (this.#guests === null && text.length > GREETING_CHARACTERS_MAX) {
        throw new SystemError('message-invalid', `a greeting has at most ${GREETING_CHARACTERS_MAX} characters`);
      }
      const message = decodeDiallerMessage(text);
      if (this.#guests === null) this.#shakeHands(message);
      else this.#handle(message, this.#guests);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.#deps.log.warn({ member: this.#member, reason: error.message }, 'peer refused');
      this.end(error.message);
    }
  }

  /** Ends the connection and listens to nothing more, whatever is still on its way. Idempotent. */
  end(reason: string): void {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(reason);
  }

  #shakeHands(message: DiallerMessage): void {
    const { key, memberId: dialled } = this.#deps;
    if (message.type === 'peer.hello' && this.#member === '') {
      this.#member = message.member;
      this.#understood = understoodBy(message.understands);
      const proof = proveLink(key, 'dialled', { dialler: message.member, dialled, nonce: message.nonce });
      this.send({
        ...{ type: 'peer.challenge', member: dialled, nonce: this.#nonce, proof },
        understands: [...additions],
      });
    } else if (message.type === 'peer.proof' && this.#member !== '') {
      if (!isProven(key, 'dialler', { dialler: this.#member, dialled, nonce: this.#nonce }, message.proof)) {
        throw new SystemError('message-invalid', 'the proof does not fit: has it another instance key?');
      }
      this.#deadline.cancel();
      this.send({ type: 'peer.welcome' });
      this.#guests = this.#deps.guestsOf(this.#member);
      this.#guests.up(this.send);
      this.#deps.welcomed(this);
    } else throw new SystemError('message-invalid', `'${message.type}' can't come before the welcome`);
  }

  #handle(message: DiallerMessage, guests: Guests): void {
    switch (message.type) {
      case 'demand.submit':
      case 'demand.recall':
      case 'demand.withdraw':
      case 'demand.command':
      case 'demand.kept':
      case 'demand.resume':
        guests.message(message);
        break;
      case 'peer.hello':
      case 'peer.proof':
        throw new SystemError('message-invalid', `'${message.type}' can't come after the welcome`);
      default:
        this.#deps.said(message, this.send);
    }
  }

  closed(): void {
    this.#deadline.cancel();
    this.#socket = null;
    this.#guests?.down(this.send);
    if (this.#guests !== null) this.#deps.ended(this);
  }
}

type GuestResult = Extract<DialledMessage, { type: 'demand.completed' }>['result'];

function toUnderstoodResult(result: GuestResult, understood: ReadonlySet<Addition>): GuestResult {
  const isPacking = understood.has('result.packed');
  const { certificate, rerun, ...rest } = fitResult(result, isPacking);
  const isCertified = understood.has('result.certificate');
  const told = {
    ...rest,
    ...(isCertified && certificate !== undefined ? { certificate } : {}),
    ...(isCertified && rerun !== undefined ? { rerun } : {}),
  };
  return isPacking ? packResult(told) : told;
}
