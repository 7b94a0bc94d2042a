/**
 * Owns how much one agent may say: messages and characters, a burst and a rate. What its programs write can be more than that, and is no fault of an
 * honest agent's, so it is let go on, but listened to no faster: others are served meanwhile, and TCP holds it up.
 * Never reads a message. Invariant: over any time what is listened to is at most the burst, the rate's part of that time, and one message.
 */
import type { Clock } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import { TokenBucket, type TokenRate } from '../../shared/token-bucket.ts';

/** A busy agent of many slots says a few thousand things a second, streamed output among them. */
const MESSAGES: TokenRate = { perSecond: 5000, burst: 20_000 };
const CHARACTERS: TokenRate = { perSecond: 64 * 1024 * 1024, burst: 512 * 1024 * 1024 };
/** Whoever has not proved to be an agent has little to say. */
const GREETING_CHARACTERS_MAX = 65_536;

/** What one agent has left. */
export class MessageBudget {
  readonly #messages: TokenBucket;
  readonly #characters: TokenBucket;

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#messages = new TokenBucket(clock, MESSAGES);
    this.#characters = new TokenBucket(clock, CHARACTERS);
  }

  /**
   * Takes one message of this length. For how many milliseconds nothing more is to be listened to after it; SystemError `message-invalid` when it is
   * too much of a greeting.
   */
  take(characters: number, isKnown: boolean): number {
    if (!isKnown && characters > GREETING_CHARACTERS_MAX) {
      throw new SystemError('message-invalid', `a greeting has at most ${GREETING_CHARACTERS_MAX} characters`);
    }
    return Math.max(this.#messages.take(), this.#characters.take(characters));
  }
}
