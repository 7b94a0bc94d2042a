/**
 * Owns how often the output of one lease is told while it runs: at once as long as that is seldom; of a program that writes byte by byte, what came
 * meanwhile together. Whoever follows it hears of it at most four milliseconds later, and nobody else pays for every byte.
 * Never loses or reorders what a stream wrote; between the two streams of a script the order is as it came, to those four milliseconds.
 */
import type { Clock, Timer } from '../../shared/clock.ts';
import type { LeasedScript } from './executor.ts';

type StreamName = 'stdout' | 'stderr';

/** Told at once, and how many more each second. */
const BURST = 250;
const PER_SECOND = 250;
/** So much is told whatever the pace is. */
const HELD_BYTES_MAX = 65_536;

/** See the head of this file. */
export class OutputPace {
  readonly #clock: Pick<Clock, 'monotonicMs' | 'after'>;
  readonly #tell: (script: LeasedScript, stream: StreamName, bytes: Buffer) => void;
  #held = new Map<StreamName, Buffer[]>();
  #heldBytes = 0;
  #heldScript: LeasedScript = 'compile';
  #left = BURST;
  #atMs: number;
  #timer: Timer | null = null;

  constructor(
    clock: Pick<Clock, 'monotonicMs' | 'after'>,
    tell: (script: LeasedScript, stream: StreamName, bytes: Buffer) => void,
  ) {
    this.#clock = clock;
    this.#tell = tell;
    this.#atMs = clock.monotonicMs();
  }

  /** The chunk is only good during the call. */
  output(script: LeasedScript, stream: StreamName, chunk: Uint8Array): void {
    if (this.#heldBytes > 0 && script !== this.#heldScript) this.flush();
    const bytes = Buffer.from(chunk);
    if (this.#heldBytes === 0 && this.#take()) {
      this.#tell(script, stream, bytes);
      return;
    }
    this.#heldScript = script;
    const chunks = this.#held.get(stream);
    if (chunks === undefined) this.#held.set(stream, [bytes]);
    else chunks.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#heldBytes >= HELD_BYTES_MAX) this.flush();
    else this.#timer ??= this.#clock.after(Math.ceil(1000 / PER_SECOND), () => this.flush());
  }

  /** Tells what is held. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = null;
    const held = this.#held;
    this.#held = new Map();
    this.#heldBytes = 0;
    for (const [stream, chunks] of held) {
      this.#take();
      this.#tell(this.#heldScript, stream, Buffer.concat(chunks));
    }
  }

  #take(): boolean {
    const nowMs = this.#clock.monotonicMs();
    this.#left = Math.min(BURST, this.#left + ((nowMs - this.#atMs) * PER_SECOND) / 1000);
    this.#atMs = nowMs;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
