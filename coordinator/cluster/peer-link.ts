/**
 * Owns the connection to one other coordinator that we dialled: dialling again after a loss, the handshake, and whether it is up.
 * Never knows what is said after the handshake. Invariant: `up` is said once for each connection that proved itself, `down` once after it.
 */
import type { Clock, Random, Timer } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import { encodeMessage } from '../../shared/protocol/catalog.ts';
import { type Addition, additions } from '../../shared/protocol/version.ts';
import { toUnderstoodOrder, understoodBy } from '../agents/understood-messages.ts';
import type { Member } from '../executions/shard-store.ts';
import type { PeerSocket, PeerSocketUser } from './peer-gateway.ts';
import { type DialledMessage, type DiallerMessage, decodeDialledMessage } from './peer-messages.ts';
import { isProven, proveLink } from './peer-proof.ts';

/** Who uses the link. */
export interface PeerLinkUser {
  up(): void;
  down(): void;
  message(message: DialledMessage): void;
}

/** What a link needs. */
export interface PeerLinkDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly dial: (url: string, user: PeerSocketUser) => void;
  /** Derived from the instance key. */
  readonly key: Uint8Array;
  /** Of our own process. */
  readonly memberId: string;
}

const REDIAL_MS_MIN = 50;
const REDIAL_MS_MAX = 2000;

/** See the head of this file. */
export class PeerLink implements PeerSocketUser {
  readonly member: Member;
  readonly #deps: PeerLinkDeps;
  readonly #user: PeerLinkUser;
  #nonce = '';
  #socket: PeerSocket | null = null;
  /** The other has proved itself; then we have, too. */
  #isTrusted = false;
  #isProven = false;
  #understood: ReadonlySet<Addition> = new Set();
  #isStopped = false;
  #attempts = 0;
  #redial: Timer | null = null;
  #complaint = '';

  constructor(member: Member, deps: PeerLinkDeps, user: PeerLinkUser) {
    this.member = member;
    this.#deps = deps;
    this.#user = user;
  }

  /** Dials until `stop`. */
  start(): void {
    this.#deps.dial(this.member.url, this);
  }

  /** The other is gone for good, or we are. Idempotent. */
  stop(reason: string): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#redial?.cancel();
    this.#socket?.close(reason);
  }

  /** Sends when the link is up; what is said while it is down is gone. */
  send(message: DiallerMessage): boolean {
    if (!this.#isProven) return false;
    this.#socket?.send(encodeMessage(this.#toUnderstood(message)));
    return true;
  }

  #toUnderstood(message: DiallerMessage): DiallerMessage {
    if (message.type !== 'demand.submit') return message;
    return { ...message, order: toUnderstoodOrder(message.order, this.#understood) };
  }

  opened(socket: PeerSocket): void {
    const { random, memberId } = this.#deps;
    this.#socket = socket;
    this.#isTrusted = false;
    this.#nonce = Buffer.from(random.bytes(32)).toString('base64url');
    const hello: DiallerMessage = {
      ...{ type: 'peer.hello', member: memberId, nonce: this.#nonce },
      understands: [...additions],
    };
    socket.send(encodeMessage(hello));
  }

  message(text: string): void {
    try {
      const message = decodeDialledMessage(text);
      if (this.#isProven) this.#user.message(message);
      else this.#shakeHands(message);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.#complain(error.message);
      this.#socket?.close(error.message);
    }
  }

  #shakeHands(message: DialledMessage): void {
    const { memberId: dialler, key } = this.#deps;
    const dialled = this.member.id;
    if (message.type === 'peer.challenge') {
      const isOther = message.member !== dialled;
      if (isOther || !isProven(key, 'dialled', { dialler, dialled, nonce: this.#nonce }, message.proof)) {
        const said = isOther ? `${message.member} answers there` : 'it has another instance key: see instanceKeyFile';
        throw new SystemError('message-invalid', `${this.member.url} is not coordinator ${dialled}: ${said}`);
      }
      this.#understood = understoodBy(message.understands);
      this.#isTrusted = true;
      const proof = proveLink(key, 'dialler', { dialler, dialled, nonce: message.nonce });
      this.#socket?.send(encodeMessage({ type: 'peer.proof', proof } satisfies DiallerMessage));
    } else if (message.type === 'peer.welcome' && this.#isTrusted) {
      this.#isProven = true;
      this.#attempts = 0;
      this.#complaint = '';
      this.#deps.log.info({ member: dialled, url: this.member.url }, 'peer reached');
      this.#user.up();
    } else
      throw new SystemError(
        'message-invalid',
        `'${message.type}' can't come before ${this.#isTrusted ? 'the welcome' : 'a proof'}`,
      );
  }

  closed(reason: string): void {
    const { clock, random } = this.#deps;
    const wasUp = this.#isProven;
    this.#socket = null;
    this.#isProven = false;
    if (!this.#isStopped) {
      this.#complain(reason);
      const boundMs = Math.min(REDIAL_MS_MAX, REDIAL_MS_MIN * 2 ** this.#attempts++);
      this.#redial = clock.after(random.next() * boundMs, () => this.start());
    }
    if (wasUp) this.#user.down();
  }

  /** Said once, until something else is wrong or the link is up. */
  #complain(reason: string): void {
    if (reason === this.#complaint) return;
    this.#complaint = reason;
    this.#deps.log.warn({ member: this.member.id, url: this.member.url, reason }, 'peer not reached');
  }
}
