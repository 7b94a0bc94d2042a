/**
 * Owns how much one agent may say: messages and characters, a burst and a rate. What its programs write can be more than that, and is no fault of an
 * honest agent's, so it is let go on, but listened to no faster: others are served meanwhile, and TCP holds it up.
 * Never reads a message. Invariant: over any time what is listened to is at most the burst, the rate's part of that time, and one message.
 */
import type { Clock } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';

interface Bound {
  readonly perSecond: number;
  readonly burst: number;
}

/** A busy agent of many slots says a few thousand things a second, streamed output among them. */
const MESSAGES: Bound = { perSecond: 5000, burst: 20_000 };
const CHARACTERS: Bound = { perSecond: 64 * 1024 * 1024, burst: 512 * 1024 * 1024 };
/** Whoever has not proved to be an agent has little to say. */
const GREETING_CHARACTERS_MAX = 65_536;

/** What one agent has left. */
export class MessageBudget {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #messages = MESSAGES.burst;
  #characters = CHARACTERS.burst;
  #atMs: number;

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
    this.#atMs = clock.monotonicMs();
  }

  /**
   * Takes one message of this length. For how many milliseconds nothing more is to be listened to after it; SystemError `message-invalid` when it is
   * too much of a greeting.
   */
  take(characters: number, isKnown: boolean): number {
    if (!isKnown && characters > GREETING_CHARACTERS_MAX) {
      throw new SystemError('message-invalid', `a greeting has at most ${GREETING_CHARACTERS_MAX} characters`);
    }
    const nowMs = this.#clock.monotonicMs();
    const seconds = (nowMs - this.#atMs) / 1000;
    this.#atMs = nowMs;
    this.#messages = Math.min(MESSAGES.burst, this.#messages + seconds * MESSAGES.perSecond) - 1;
    this.#characters = Math.min(CHARACTERS.burst, this.#characters + seconds * CHARACTERS.perSecond) - characters;
    const late = Math.max(-this.#messages / MESSAGES.perSecond, -this.#characters / CHARACTERS.perSecond);
    return late > 0 ? Math.ceil(late * 1000) : 0;
  }
}
