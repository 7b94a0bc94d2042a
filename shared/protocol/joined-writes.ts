/**
 * Owns that what is said on one connection within one turn of the event loop leaves in one write, after the turn's other work: at an agent the launch
 * goes before the word that it runs, at a coordinator the client's answer before the acknowledgement of its result.
 * Never holds anything back beyond the turn. Invariant: what is written before `begin` and after it keeps its order.
 */
import type { Duplex } from 'node:stream';

/** One connection's. */
export class JoinedWrites {
  readonly #stream: Duplex | null;
  #isJoining = false;

  /** Without a stream nothing is joined. */
  constructor(stream: Duplex | null) {
    this.#stream = stream;
  }

  /** To be called before something is written. */
  begin(): void {
    if (this.#isJoining || this.#stream === null) return;
    this.#isJoining = true;
    this.#stream.cork();
    setImmediate(() => {
      this.#isJoining = false;
      this.#stream?.uncork();
    });
  }
}
