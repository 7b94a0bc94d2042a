/**
 * Owns how much one agent may say: messages and characters, a burst and a rate, far above what an honest one ever needs; whoever is above it keeps
 * everybody else's coordinator busy.
 * Never reads a message. Invariant: over any time what is let through is at most the burst and the rate's part of that time.
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

  /** Takes one message of this length; SystemError `message-invalid` when it is too much. */
  take(characters: number, isKnown: boolean): void {
    if (!isKnown && characters > GREETING_CHARACTERS_MAX) {
      throw new SystemError('message-invalid', `a greeting has at most ${GREETING_CHARACTERS_MAX} characters`);
    }
    const nowMs = this.#clock.monotonicMs();
    const seconds = (nowMs - this.#atMs) / 1000;
    this.#atMs = nowMs;
    this.#messages = Math.min(MESSAGES.burst, this.#messages + seconds * MESSAGES.perSecond) - 1;
    this.#characters = Math.min(CHARACTERS.burst, this.#characters + seconds * CHARACTERS.perSecond) - characters;
    if (this.#messages >= 0 && this.#characters >= 0) return;
    const what = this.#messages < 0 ? `${MESSAGES.perSecond} messages` : `${CHARACTERS.perSecond} characters`;
    throw new SystemError('message-invalid', `an agent may say ${what} a second`);
  }
}
