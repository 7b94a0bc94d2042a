/**
 * Owns how the output of one lease is told while it runs: at once as long as that is seldom (pace); of a program that writes byte by byte, what came
 * meanwhile together. Whoever follows it hears of it a few milliseconds later, and nobody else pays for every byte.
 * Never loses or reorders what a stream wrote; between the two streams of a script the order is as it came, to those few milliseconds.
 */
import type { TokenBucket } from '../../shared/token-bucket.ts';
import type { LeasedScript } from './executor.ts';
import { Pace, type PaceClock } from './pace.ts';

type StreamName = 'stdout' | 'stderr';

/** So much is told whatever the pace is. */
const HELD_BYTES_MAX = 65_536;

/** See the head of this file. */
export class OutputPace {
  readonly #tell: (script: LeasedScript, stream: StreamName, bytes: Buffer) => void;
  readonly #pace: Pace;
  #held = new Map<StreamName, Buffer[]>();
  #heldBytes = 0;
  #heldScript: LeasedScript = 'compile';

  /** `shared`: what all leases of the agent have together. */
  constructor(
    clock: PaceClock,
    shared: TokenBucket,
    tell: (script: LeasedScript, stream: StreamName, bytes: Buffer) => void,
  ) {
    this.#tell = tell;
    this.#pace = new Pace(clock, shared, () => this.flush());
  }

  /** The chunk is only good during the call. */
  output(script: LeasedScript, stream: StreamName, chunk: Uint8Array): void {
    if (this.#heldBytes > 0 && script !== this.#heldScript) this.flush();
    const bytes = Buffer.from(chunk);
    if (this.#heldBytes === 0 && this.#pace.isOpen) {
      this.#told(script, stream, bytes);
      return;
    }
    this.#heldScript = script;
    const chunks = this.#held.get(stream);
    if (chunks === undefined) this.#held.set(stream, [bytes]);
    else chunks.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#heldBytes >= HELD_BYTES_MAX) this.flush();
    else this.#pace.wait();
  }

  /** Tells what is held. */
  flush(): void {
    this.#pace.rest();
    const held = this.#held;
    this.#held = new Map();
    this.#heldBytes = 0;
    for (const [stream, chunks] of held) this.#told(this.#heldScript, stream, Buffer.concat(chunks));
  }

  #told(script: LeasedScript, stream: StreamName, bytes: Buffer): void {
    this.#pace.told();
    this.#tell(script, stream, bytes);
  }
}
